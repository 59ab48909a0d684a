"""``breachwatch pull --follow`` in a process of its own, and what it has published."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from tests.broker.running import PATIENCE, read

if TYPE_CHECKING:
    from stream.runtime.kafka.topics import Topics

ROOT: Final = Path(__file__).parents[2]


class Puller:
    """Follows a desk, every second. Killed when the block ends, if it is still there."""

    def __init__(self, broker: str, topics: Topics, folder: Path, *options: str, feed: str, url: str, login: str) -> None:
        """``feed``: ``NAME=MAPPING``. ``login``: the credentials."""
        folder.mkdir(parents=True, exist_ok=True)
        self.log: Final = folder / f"pull-{time.monotonic_ns()}.log"
        command = [sys.executable, "-m", "stream", "pull", "--feed", feed, "--url", url, "--credentials", "env:DESK_LOGIN"]
        command += ["--broker", broker, "--topic-prefix", topics.prefix, "--follow", "--every", "1s", *options]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BREACHWATCH_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, env={**environment, "DESK_LOGIN": login}
            )  # fmt: skip

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

    def ended(self) -> int:
        """The exit status, when it ends by itself."""
        return self.process.wait(PATIENCE)

    @property
    def output(self) -> str:
        return self.log.read_text("utf-8", "replace")


def published(broker: str, topics: Topics) -> list[dict[str, Any]]:
    """The values on the topic of ticket events, without ticks."""
    return [value for value in _values(broker, topics.events) if value["type"] != "feed.tick"]


def ticks(broker: str, topics: Topics) -> list[dict[str, Any]]:
    return [value for value in _values(broker, topics.events) if value["type"] == "feed.tick"]


def _values(broker: str, topic: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(record.value) for record in read(broker, topic)]
