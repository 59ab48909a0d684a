"""``breachwatch gateway`` as processes of its own, and a sender that takes one after the other."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.broker.running import PATIENCE, until

if TYPE_CHECKING:
    from stream.runtime.kafka.topics import Topics


class GatewayProcess:
    """A gateway with some feeds. Killed when the block ends, if it is still there."""

    def __init__(self, broker: str, topics: Topics, folder: Path, *flags: str, environment: dict[str, str] = {}) -> None:  # noqa: B006  not changed
        folder.mkdir(parents=True, exist_ok=True)
        self.port = self.page_port = 0
        self.log = folder / f"gateway-{time.monotonic_ns()}.log"
        command = [sys.executable, "-m", "stream", "gateway", "--broker", broker, "--topic-prefix", topics.prefix]
        command += ["--listen", "127.0.0.1:0", "--metrics-port", "0", *flags]
        usual = {name: value for name, value in os.environ.items() if not name.startswith("BREACHWATCH_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=Path(__file__).parents[2], env=usual | environment
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def ready(self) -> Self:
        """Wait until it takes requests."""
        self.port = int(until(lambda: self._found(r"ready: feeds .* on 127\.0\.0\.1:(\d+)"), "the gateway is ready"))
        self.page_port = int(self._found(r"page on http://127\.0\.0\.1:(\d+)/"))
        return self

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def page(self, path: str) -> tuple[int, str]:
        """The status and the text of one of its pages."""
        return _answer(self.page_port, "GET", path, b"", {})

    def post(self, body: bytes, path: str, headers: dict[str, str]) -> int:
        """The status of the answer to a payload; 0 if there is none."""
        try:
            return _answer(self.port, "POST", path, body, {"Content-Type": "application/json", **headers})[0]
        except (OSError, HTTPException):
            return 0

    def _found(self, pattern: str) -> str:
        assert self.process.poll() is None, self.log.read_text("utf-8")
        found = re.search(pattern, self.log.read_text("utf-8"))
        return found[1] if found else ""


def _answer(port: int, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
