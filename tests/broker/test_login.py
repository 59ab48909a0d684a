"""A broker that lets nobody in without a name and a password."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from running import START, event, until

from stream.feeds.lines import key_of
from stream.feeds.wire import encode_event
from stream.tools.embedded import Broker
from stream.tools.ports import free_port

PASSWORD = "pass-4711"


class _Guarded(Broker):
    """The embedded broker with one more door, and a lock on it."""

    def _occupy(self) -> Path:
        logs = super()._occupy()
        self.guarded = f"127.0.0.1:{free_port()}"
        lines = []
        for line in (self.data / "server.properties").read_text("utf-8").splitlines():
            name, _, value = line.partition("=")
            more = {"listener.security.protocol.map": "GUARDED:SASL_PLAINTEXT"}
            more |= dict.fromkeys(("listeners", "advertised.listeners"), f"GUARDED://{self.guarded}")
            lines.append(f"{name}={value},{more[name]}" if name in more else line)
        module = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        lines += ["sasl.enabled.mechanisms=PLAIN"]
        lines += [f'listener.name.guarded.plain.sasl.jaas.config={module} user_desk="{PASSWORD}";']
        (self.data / "server.properties").write_text("\n".join(lines) + "\n", "utf-8")
        return logs


def test_commands_and_workers_log_in_and_never_say_the_password(tmp_path: Path) -> None:
    (tmp_path / "feed.jsonl").write_bytes(encode_event("desk/1", event("desk/1", "ticket.created", START)) + b"\n")
    assert key_of((tmp_path / "feed.jsonl").read_bytes()) == b"desk/1"
    log = tmp_path / "worker.log"
    with _Guarded() as broker:
        environment = {
            **os.environ,
            "BREACHWATCH_BROKER": broker.guarded,
            "BREACHWATCH_SASL_MECHANISM": "PLAIN",
            "BREACHWATCH_SASL_USERNAME": "desk",
            "BREACHWATCH_SASL_PASSWORD": PASSWORD,
        }
        stream = [sys.executable, "-m", "stream"]
        root = Path(__file__).parents[2]
        for command in (["topics", "create"], ["publish", str(tmp_path / "feed.jsonl")], ["topics", "check"]):
            subprocess.run([*stream, *command], env=environment, cwd=root, check=True, timeout=60)
        with log.open("wb") as output:
            command = [*stream, "worker", "--policies", "batoi", "--metrics-port", "0"]
            worker = subprocess.Popen(command, env=environment, cwd=root, stdout=output, stderr=output)
        try:
            until(lambda: "ready: breachwatch, partitions 0, 1, 2, 3" in log.read_text("utf-8"), "it has partitions")
        finally:
            worker.terminate()
            worker.wait()
        environment["BREACHWATCH_SASL_PASSWORD"] = "wrong"
        check = [*stream, "topics", "check"]
        refused = subprocess.run(check, env=environment, cwd=root, capture_output=True, timeout=60, check=False)

    assert refused.returncode != 0
    assert b"BREACHWATCH_SASL_" in refused.stderr
    assert PASSWORD not in log.read_text("utf-8")
