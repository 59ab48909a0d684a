"""A helpdesk as processes of its own on loopback, each on a free port, in a folder that is thrown away."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HERE: Final = Path(__file__).parent
PATIENCE: Final = 120.0
"""Seconds that a desk may take to start. Long, because the machine may be busy."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Desk:
    """A helpdesk that runs. Subclasses prepare its folder and give its command."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder: Final = folder
        self.port: Final = free_port()
        self.url: Final = f"http://127.0.0.1:{self.port}"
        self.log: Final = folder / "desk.log"
        self._process: subprocess.Popen[bytes] | None = None

    def environment(self) -> Mapping[str, str]:
        """What the desk's own programs need besides the environment of the test."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make a fresh desk in the folder."""
        raise NotImplementedError

    def command(self) -> Sequence[str]:
        """Serves the desk on ``port``."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.prepare()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, env={**os.environ, **self.environment()}, cwd=self.working_folder(),
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            evidence = self.log.read_text("utf-8", "replace")[-4000:]
            assert self._process.poll() is None, f"the desk ended with {self._process.returncode}\n{evidence}"
            assert time.monotonic() < deadline, f"the desk did not start\n{evidence}"
            time.sleep(0.2)

    def stop(self) -> None:
        """End it with its children."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def working_folder(self) -> Path:
        return self.folder

    def run(self, *command: str, input: bytes | None = None) -> str:  # noqa: A002  as subprocess calls it
        """Run one of the desk's programs. AssertionError, with its output, if it fails."""
        done = subprocess.run(
            command, input=input, capture_output=True, env={**os.environ, **self.environment()}, cwd=self.working_folder(),
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        output = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode == 0, f"{command}: {done.returncode}\n{output[-4000:]}"
        return output

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/login", timeout=10):
                return True
        except HTTPError as refusal:
            with refusal:
                return refusal.code < 500
        except (URLError, OSError):
            return False


class Rest:
    """Asks the REST API of a desk as one of its users. An answer with an error is an AssertionError."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url = url
        self._headers = dict(headers)

    def __call__(self, method: str, path: str, body: object = None, *, missing: bool = False) -> Any:
        """``missing``: whether the answer must be 404."""
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, "Content-Type": "application/json", "Accept": "application/json"}
        try:
            with urlopen(Request(self._url + path, data, headers, method=method), timeout=60) as answer:
                text = answer.read()
        except HTTPError as refusal:
            with refusal:
                reason = refusal.read()[:500].decode("utf-8", "replace")
            if not (missing and refusal.code == 404):
                raise AssertionError(f"{method} {path}: {refusal.code} {reason}") from refusal
            return None
        assert not missing, f"{method} {path} exists"
        return json.loads(text) if text.strip() else None


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}
