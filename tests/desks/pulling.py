"""The commands between a helpdesk and Kafka in processes of their own, and what they have published."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from tests.broker.running import PATIENCE, read, until
from tests.broker.test_notify import SECRET

if TYPE_CHECKING:
    from stream.runtime.kafka.topics import Topics

ROOT: Final = Path(__file__).parents[2]
_RULES: Final = """
destinations:
  pager: {{webhook: "{url}/pager", secrets: env:HOOK_SECRET}}
routes:
  - when: {{type: commitment.breached}}
    to: pager
"""


class Command:
    """A command of breachwatch that runs until it is stopped. Killed when the block ends, if it is still there."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log: Final = folder / f"{arguments[0]}-{time.monotonic_ns()}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BREACHWATCH_")}
        command = [sys.executable, "-m", "stream", *arguments]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT, env={**environment, **variables})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    @property
    def output(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def writes(self, text: str) -> Self:
        """Wait until its log has this text. AssertionError, with the log, if it ends before."""

        def found() -> bool:
            assert self.process.poll() is None or text in self.output, f"ended before {text!r}\n{self.output}"
            return text in self.output

        until(found, f"{text!r} in {self.log}")
        return self


def puller(broker: str, topics: Topics, folder: Path, *options: str, feed: str, url: str, login: str) -> Command:
    """Follows a desk, every second. ``feed``: ``NAME=MAPPING``. ``login``: the credentials."""
    target = ["--broker", broker, "--topic-prefix", topics.prefix, "--follow", "--every", "1s"]
    source = ["--feed", feed, "--url", url, "--credentials", "env:DESK_LOGIN"]
    return Command(folder, "pull", *source, *target, *options, DESK_LOGIN=login)


def gateway(broker: str, topics: Topics, folder: Path, port: int, *, feed: str, secret: str) -> Command:
    """Receives what a desk sends at ``/feeds/NAME``."""
    name = feed.partition("=")[0]
    target = ["--broker", broker, "--topic-prefix", topics.prefix]
    source = ["--feed", feed, "--secret", f"{name}=env:DESK_SECRET"]
    where = ["--listen", f"127.0.0.1:{port}", "--metrics-port", "0"]
    return Command(folder, "gateway", *source, *target, *where, DESK_SECRET=secret)


def notifier(broker: str, topics: Topics, folder: Path, url: str) -> Command:
    """Sends each breach to ``/pager`` of a receiver."""
    rules = folder / "notify.yaml"
    rules.write_text(_RULES.format(url=url), "utf-8")
    target = ["--broker", broker, "--topic-prefix", topics.prefix, "--begin", "2026-01-01T00:00:00Z"]
    target += ["--listen", "127.0.0.1:0"]
    return Command(folder, "notify", "run", "--rules", str(rules), *target, HOOK_SECRET=SECRET)


def writer(broker: str, topics: Topics, folder: Path, desk: str, *, password: str) -> Command:
    """Writes into a helpdesk. ``desk``: the text of its file, with its password in ``env:DESK_PASSWORD``."""
    file = folder / "desk.yaml"
    file.write_text(desk, "utf-8")
    target = ["--broker", broker, "--topic-prefix", topics.prefix, "--listen", "127.0.0.1:0"]
    options = ["--desks", str(file), "--write", "--coalesce", "200ms"]
    return Command(folder, "writeback", *options, *target, DESK_PASSWORD=password)


def published(broker: str, topics: Topics, ticket: str) -> list[dict[str, Any]]:
    """The events of a ticket on the topic of ticket events."""
    return [value for value in _values(broker, topics.events) if value.get("ticket") == ticket]


def ticks(broker: str, topics: Topics) -> list[dict[str, Any]]:
    return [value for value in _values(broker, topics.events) if value["type"] == "feed.tick"]


def _values(broker: str, topic: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(record.value) for record in read(broker, topic)]
