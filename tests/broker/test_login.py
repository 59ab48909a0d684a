"""A broker that requires a login, on a plain and on an encrypted listener."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stream.devkafka.broker import Broker
from stream.devkafka.jars import java, provide
from stream.devkafka.ports import free_port
from stream.wire.effect import encode_event
from tests.broker.running import START, event, read, until

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "pass-4711"
ROOT = Path(__file__).parents[2]
STREAM = [sys.executable, "-m", "stream"]
WORKER = ["worker", "--policies", "starter", "--metrics-port", "0"]


class Guarded(Broker):
    """The embedded broker with two more doors, a lock on each, and on the second a curtain: ``plain`` and ``sealed``."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.keys = folder

    def _occupy(self) -> Path:
        logs = super()._occupy()
        self.plain, self.sealed = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        doors = f"PLAIN://{self.plain},SEALED://{self.sealed}"
        more = {"listener.security.protocol.map": "PLAIN:SASL_PLAINTEXT,SEALED:SASL_SSL"}
        more |= dict.fromkeys(("listeners", "advertised.listeners"), doors)
        lines = []
        for line in (self.data / "server.properties").read_text("utf-8").splitlines():
            name, _, value = line.partition("=")
            lines.append(f"{name}={value},{more[name]}" if name in more else line)
        modules = "org.apache.kafka.common.security"
        lines += [
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512",
            f'listener.name.plain.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required user_desk="{PASSWORD}";',
            f"listener.name.plain.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;",
            f'listener.name.sealed.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required user_desk="{PASSWORD}";',
            f"listener.name.sealed.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;",
            "listener.name.sealed.ssl.keystore.type=PEM",
            f"listener.name.sealed.ssl.keystore.location={self.keys / 'broker.pem'}",
        ]
        (self.data / "server.properties").write_text("\n".join(lines) + "\n", "utf-8")
        return logs

    def add_scram_user(self) -> None:
        command = [str(java()), "-cp", f"{provide(lambda _: None)}/*", "kafka.admin.ConfigCommand", "--alter"]
        command += ["--bootstrap-server", self.bootstrap, "--entity-type", "users", "--entity-name", "desk"]
        secret = f"SCRAM-SHA-512=[iterations=4096,password={PASSWORD}]"
        subprocess.run([*command, "--add-config", secret], check=True, timeout=60, stdout=subprocess.DEVNULL)


def authority(folder: Path, name: str) -> Path:
    """A certificate that vouches for others, with its key beside it."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "2", "-subj", f"/CN={name}"]
    files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=60)
    return folder / f"{name}.crt"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("keys")
    trusted = authority(folder, "trusted")
    authority(folder, "unknown")
    request = ["openssl", "req", "-newkey", "rsa:2048", "-noenc", "-subj", "/CN=broker", "-keyout", "b.key", "-out", "b.csr"]
    subprocess.run(request, cwd=folder, check=True, capture_output=True, timeout=60)
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n", "utf-8")
    sign = ["openssl", "x509", "-req", "-in", "b.csr", "-CA", "trusted.crt", "-CAkey", "trusted.key", "-CAcreateserial"]
    subprocess.run([*sign, "-extfile", "san", "-out", "b.crt"], cwd=folder, check=True, capture_output=True, timeout=60)
    parts = (folder / "b.key", folder / "b.crt", trusted)
    (folder / "broker.pem").write_text("".join(part.read_text("utf-8") for part in parts), "utf-8")
    with Guarded(folder) as broker:
        broker.add_scram_user()
        yield broker


def plain(broker: Guarded) -> dict[str, str]:
    """The settings of the plain listener with login."""
    return {
        "BREACHWATCH_BROKER": broker.plain,
        "BREACHWATCH_SASL_MECHANISM": "PLAIN",
        "BREACHWATCH_SASL_USERNAME": "desk",
        "BREACHWATCH_SASL_PASSWORD": PASSWORD,
        "BREACHWATCH_APP_ID": "plain",
        "BREACHWATCH_TOPIC_PREFIX": "plain.",
    }


def sealed(broker: Guarded) -> dict[str, str]:
    """The settings of the encrypted listener with login."""
    return plain(broker) | {
        "BREACHWATCH_BROKER": broker.sealed,
        "BREACHWATCH_SASL_MECHANISM": "SCRAM-SHA-512",
        "BREACHWATCH_TLS": "yes",
        "BREACHWATCH_SSL_CAFILE": str(broker.keys / "trusted.crt"),
        "BREACHWATCH_APP_ID": "sealed",
        "BREACHWATCH_TOPIC_PREFIX": "sealed.",
    }


@pytest.mark.parametrize("listener", [plain, sealed])
def test_commands_and_workers_log_in_and_never_show_the_password(guarded: Guarded, tmp_path: Path, listener: object) -> None:
    (tmp_path / "feed.jsonl").write_bytes(encode_event("desk/1", event("desk/1", "ticket.created", START)) + b"\n")
    log = tmp_path / "worker.log"
    environment = {**os.environ, **listener(guarded)}  # type: ignore[operator]
    for command in (["topics", "create"], ["publish", str(tmp_path / "feed.jsonl")], ["topics", "check"]):
        subprocess.run([*STREAM, *command], env=environment, cwd=ROOT, check=True, timeout=60)
    with log.open("wb") as output:
        command = [*STREAM, "worker", "--policies", "starter", "--metrics-port", "0", "--clock", "event"]
        worker = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=output, stderr=output)
    try:
        name = environment["BREACHWATCH_APP_ID"]
        until(lambda: f"ready: {name}.{name}, partitions 0, 1, 2, 3" in log.read_text("utf-8"), "it has partitions")
        until(lambda: read(guarded.bootstrap, f"{name}.sla-breaches"), "its effects are published")
    finally:
        worker.terminate()
        worker.wait()

    assert PASSWORD not in log.read_text("utf-8")


@pytest.mark.parametrize("command", [["topics", "check"], ["publish", "demo"], WORKER])
@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"BREACHWATCH_SASL_PASSWORD": "wrong"}, "BREACHWATCH_SASL_PASSWORD"),
        ({"BREACHWATCH_SASL_MECHANISM": "SCRAM-SHA-256"}, "BREACHWATCH_SASL_MECHANISM"),
        ({"BREACHWATCH_SSL_CAFILE": "unknown.crt"}, "BREACHWATCH_SSL_CAFILE"),
    ],
)
def test_a_refused_client_names_the_setting_and_does_not_retry(
    guarded: Guarded, command: list[str], wrong: dict[str, str], named: str
) -> None:
    environment = {**os.environ, **sealed(guarded), **wrong}
    environment["BREACHWATCH_SSL_CAFILE"] = str(guarded.keys / environment["BREACHWATCH_SSL_CAFILE"])

    refused = subprocess.run(
        [*STREAM, *command], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )

    assert refused.returncode == (2 if command[0] == "worker" else 1)
    assert named in refused.stderr
    assert PASSWORD not in refused.stderr


@pytest.mark.parametrize(
    ("listener", "taken_away", "named"),
    [
        ("sealed", ["TLS", "SSL_CAFILE"], "BREACHWATCH_TLS"),
        ("plain", ["SASL_MECHANISM", "SASL_USERNAME", "SASL_PASSWORD"], "BREACHWATCH_SASL_MECHANISM"),
    ],
)
def test_a_worker_whose_broker_closes_the_connection_retries_and_names_the_setting(
    guarded: Guarded, tmp_path: Path, listener: str, taken_away: list[str], named: str
) -> None:
    environment = {**os.environ, **{"sealed": sealed, "plain": plain}[listener](guarded)}
    for name in taken_away:
        del environment[f"BREACHWATCH_{name}"]
    log = tmp_path / "log"
    with log.open("wb") as output:
        command = [*STREAM, "worker", "--policies", "starter", "--metrics-port", "0"]
        worker = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=output, stderr=output)
    try:
        until(lambda: re.search(rf"{named}\b.*; next attempt", log.read_text("utf-8")), "it is logged")
    finally:
        worker.kill()
        worker.wait()
