"""A broker that requires the login OAUTHBEARER, and a token endpoint: tokens are renewed, and no output has one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stream.devkafka.ports import free_port
from stream.runtime.kafka.topics import Topics
from stream.wire.effect import encode_event
from tests.broker.configured_broker import ConfiguredBroker
from tests.broker.running import HOUR, START, effects, event, publish, sent, tick, until
from tests.broker.token_endpoint import CLIENT, NEVER_SHOWN, SECRET, TokenEndpoint, token

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
STREAM = [sys.executable, "-m", "stream"]
WORKER = [*STREAM, "worker", "--policies", "starter", "--metrics-port", "0", "--clock", "event"]
BRIEF_SECONDS = 4


class TokenBroker(ConfiguredBroker):
    """``tokens``: the address with the login. ``brief``: the same, but a connection ends with its token or after 4 s."""

    def __init__(self) -> None:
        super().__init__({})
        self.tokens, self.brief = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"

    def _occupy(self) -> Path:
        doors = f"CLIENT://{self.bootstrap},TOKENS://{self.tokens},BRIEF://{self.brief}"
        controller = f"CONTROLLER://127.0.0.1:{free_port()}"
        self.changes = {
            "listeners": f"{doors},{controller}",
            "advertised.listeners": doors,
            "controller.quorum.voters": f"1@{controller.partition('//')[2]}",
            "listener.security.protocol.map": (
                "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,TOKENS:SASL_PLAINTEXT,BRIEF:SASL_PLAINTEXT"
            ),
            "sasl.enabled.mechanisms": "OAUTHBEARER",
            "listener.name.brief.oauthbearer.connections.max.reauth.ms": BRIEF_SECONDS * 1_000,
        }
        for name in ("tokens", "brief"):
            module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"
            self.changes[f"listener.name.{name}.oauthbearer.sasl.jaas.config"] = (
                f'{module} unsecuredLoginStringClaim_sub="kafka";'
            )
        return super()._occupy()


@pytest.fixture(scope="module")
def guarded() -> Iterator[TokenBroker]:
    with TokenBroker() as broker:
        yield broker


def settings(address: str, endpoint: TokenEndpoint, name: str) -> dict[str, str]:
    others = {key: value for key, value in os.environ.items() if not key.startswith("BREACHWATCH_")}
    return others | {
        "BREACHWATCH_BROKER": address,
        "BREACHWATCH_SASL_MECHANISM": "OAUTHBEARER",
        "BREACHWATCH_SASL_OAUTH_TOKEN_URL": endpoint.url,
        "BREACHWATCH_SASL_OAUTH_CLIENT_ID": CLIENT,
        "BREACHWATCH_SASL_OAUTH_CLIENT_SECRET": SECRET,
        "BREACHWATCH_SASL_OAUTH_SCOPE": "kafka",
        "BREACHWATCH_SASL_OAUTH_EXTENSIONS": "logicalCluster=lkc-1",
        "BREACHWATCH_APP_ID": name,
        "BREACHWATCH_TOPIC_PREFIX": f"{name}.",
    }


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*STREAM, *command], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )


@contextmanager
def worker(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Ended with SIGTERM at the end of the block, and then its log must have no secret and no traceback."""
    with log.open("wb") as output:
        process = subprocess.Popen(WORKER, env=environment, cwd=ROOT, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
    written = log.read_text("utf-8")
    assert process.returncode == 0, written
    for secret in (SECRET, NEVER_SHOWN, "Traceback"):
        assert secret not in written


@contextmanager
def supervised(environment: dict[str, str], log: Path) -> Iterator[None]:
    """A worker that is started again when it ends, as an orchestrator does. Its log must have no secret.

    A worker ends if the broker closes the connection on which it commits: nobody knows then whether it has committed.
    """
    again = ["bash", "-c", 'until "$@"; do sleep 0.2; done', "supervisor", *WORKER]
    with log.open("ab") as output:
        process = subprocess.Popen(again, env=environment, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
    try:
        yield
        assert process.poll() is None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    written = log.read_text("utf-8")
    for secret in (SECRET, NEVER_SHOWN):
        assert secret not in written


def test_commands_and_workers_log_in_with_one_token_each(guarded: TokenBroker, tmp_path: Path) -> None:
    (tmp_path / "feed.jsonl").write_bytes(encode_event("desk/1", event("desk/1", "ticket.created", START)) + b"\n")
    with TokenEndpoint(3_600) as endpoint:
        environment = settings(guarded.tokens, endpoint, "usual")
        commands = (["topics", "create"], ["publish", str(tmp_path / "feed.jsonl")], ["topics", "check"])
        for command in commands:
            done = run(environment, *command)
            assert done.returncode == 0, done.stderr
            assert NEVER_SHOWN not in done.stdout + done.stderr
        with worker(environment, tmp_path / "log"):
            topics = Topics("usual", "usual.")
            until(lambda: effects(guarded.bootstrap, topics), "its effects are published")

        assert endpoint.granted == len(commands) + 1
        assert endpoint.scopes == {"kafka"}


def test_a_worker_goes_on_when_the_broker_ends_connections_with_their_tokens(guarded: TokenBroker, tmp_path: Path) -> None:
    topics = Topics("brief", "brief.")
    with TokenEndpoint(BRIEF_SECONDS) as endpoint:
        environment = settings(guarded.brief, endpoint, "brief")
        assert run(environment, "topics", "create").returncode == 0
        with supervised(environment, tmp_path / "log"):
            for number in range(8):
                began, at = endpoint.granted, START + number * HOUR
                publish(
                    guarded.bootstrap,
                    topics,
                    [sent(f"desk/{number}", event(f"desk/{number}", "ticket.created", at)), *tick(at)],
                )
                until(lambda: number in _started(guarded, topics), f"ticket {number} is processed")  # noqa: B023  at once
                until(lambda: endpoint.granted > began, "its token is renewed")  # noqa: B023  at once

    assert _started(guarded, topics) == list(range(8))


def _started(broker: TokenBroker, topics: Topics) -> list[int]:
    """The numbers of the tickets whose first response is promised, with repetitions."""
    found = effects(broker.bootstrap, topics)
    numbers = [
        int(one.effect.ticket.partition("/")[2])
        for one in found
        if one.effect.kind.value == "commitment.started" and one.effect.commitment == "first_response"
    ]
    return sorted(numbers)


def test_a_worker_waits_for_a_token_endpoint_that_does_not_answer(guarded: TokenBroker, tmp_path: Path) -> None:
    endpoint = TokenEndpoint(3_600)
    environment, log = settings(guarded.tokens, endpoint, "waiting"), tmp_path / "log"
    with endpoint:
        assert run(environment, "topics", "create").returncode == 0
    with worker(environment, log):
        until(lambda: f"no token: the token endpoint {endpoint.url}" in log.read_text("utf-8"), "it is logged")
        with endpoint:
            until(lambda: "ready: " in log.read_text("utf-8"), "it has partitions")
    assert "; next attempt in" in log.read_text("utf-8")


def test_a_running_worker_goes_on_after_the_token_endpoint_was_away(guarded: TokenBroker, tmp_path: Path) -> None:
    topics, log = Topics("away", "away."), tmp_path / "log"
    endpoint = TokenEndpoint(BRIEF_SECONDS)
    environment = settings(guarded.brief, endpoint, "away")
    with endpoint:
        assert run(environment, "topics", "create").returncode == 0
    with supervised(environment, log):
        with endpoint:
            until(lambda: "ready: " in log.read_text("utf-8"), "it has partitions")
        until(lambda: "no token: the token endpoint" in log.read_text("utf-8"), "it is logged")
        with endpoint:
            publish(guarded.bootstrap, topics, [sent("desk/1", event("desk/1", "ticket.created", START)), *tick(START)])
            until(lambda: _started(guarded, topics) == [1], "the ticket is processed")


def test_the_token_of_a_file_is_read_again_for_each_connection(guarded: TokenBroker, tmp_path: Path) -> None:
    topics, file = Topics("file", "file."), tmp_path / "token"
    file.write_text(token(3_600) + "\n", "utf-8")
    environment = settings(guarded.brief, TokenEndpoint(1), "file")
    environment = {name: value for name, value in environment.items() if "_SASL_OAUTH_" not in name}
    environment["BREACHWATCH_SASL_OAUTH_TOKEN_FILE"] = str(file)
    assert run(environment, "topics", "create").returncode == 0
    with supervised(environment, tmp_path / "log"):
        until(lambda: "ready: " in (tmp_path / "log").read_text("utf-8"), "it has partitions")
        file.write_text("not a token", "utf-8")
        until(lambda: "does not have a single bearer token" in (tmp_path / "log").read_text("utf-8"), "it is logged")
        file.write_text(token(3_600), "utf-8")
        publish(guarded.bootstrap, topics, [sent("desk/1", event("desk/1", "ticket.created", START)), *tick(START)])
        until(lambda: _started(guarded, topics) == [1], "the ticket is processed")


COMMANDS = (["topics", "check"], ["publish", "demo"], ["worker", "--policies", "starter", "--metrics-port", "0"])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_client_whose_secret_is_refused_names_the_reason_and_does_not_retry(guarded: TokenBroker, command: list[str]) -> None:
    with TokenEndpoint(60) as endpoint:
        wrong = {"BREACHWATCH_SASL_OAUTH_CLIENT_SECRET": "wrong-secret"}
        refused = run(settings(guarded.tokens, endpoint, "refused") | wrong, *command)

    assert refused.returncode == (2 if command[0] == "worker" else 1)
    assert "status 401 (invalid_client not ...): check the client id" in refused.stderr
    for hidden in ("wrong-secret", SECRET, "Traceback"):
        assert hidden not in refused.stderr


@pytest.mark.parametrize("command", COMMANDS[:2])
def test_a_command_whose_token_is_refused_names_the_reason(guarded: TokenBroker, command: list[str]) -> None:
    with TokenEndpoint(-60) as endpoint:  # its tokens have ended
        refused = run(settings(guarded.tokens, endpoint, "refused"), *command)

    assert refused.returncode == 1
    assert "the broker refuses the token: check that its end, audience" in refused.stderr
    for hidden in (SECRET, NEVER_SHOWN, "Traceback"):
        assert hidden not in refused.stderr


def test_a_worker_whose_token_is_refused_retries_with_another(guarded: TokenBroker, tmp_path: Path) -> None:
    with TokenEndpoint(60) as endpoint:
        environment, log = settings(guarded.tokens, endpoint, "another"), tmp_path / "log"
        assert run(environment, "topics", "create").returncode == 0
        endpoint.lifetime = -60
        with worker(environment, log):
            until(lambda: "the broker refuses the token: check that its end" in log.read_text("utf-8"), "it is logged")
            endpoint.lifetime = 60
            until(lambda: "ready: " in log.read_text("utf-8"), "it has partitions")
