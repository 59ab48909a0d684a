"""A server in a process of its own, for as long as a block runs: the demo's workers, Prometheus, Alertmanager."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.devkafka.child_guard import ChildGuard
from stream.runtime.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_READY_SECONDS: Final = 60
_STOP_SECONDS: Final = 20
_TAIL_LINES: Final = 25


class DemoError(Exception):
    """The demo could not be shown; the text says why."""


class Child(NamedTuple):
    """The process, and where to look at it."""

    name: str
    """What it is, as in "the worker"."""
    process: subprocess.Popen[bytes]
    log: Path
    port: int
    """Of its pages, on 127.0.0.1."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def failed(self, what: str) -> DemoError:
        lines = self.log.read_text("utf-8", "replace").splitlines()[-_TAIL_LINES:]
        return DemoError(f"{self.name} {what}. The end of its log:\n" + "\n".join(f"  {line}" for line in lines))


@contextmanager
def running(
    name: str, command: Sequence[str], log: Path, port: int, ready: str, variables: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """The command, run in its log's folder with these variables, from when ``GET ready`` on its port is answered with 200.

    Raises ``DemoError`` with the end of its log when it does not get ready.
    """
    # Nothing of an installation's own settings may leak in: not its variables, and not a file in the current folder.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  our own programs with our own arguments
            command,
            cwd=log.parent,
            env=environment | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    child_guard = ChildGuard(process)
    try:
        child = Child(name, process, log, port)
        _wait_until_ready(child, ready)
        yield child
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        child_guard.release()
        process.wait()


def _wait_until_ready(child: Child, ready: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if child.process.poll() is not None:
            raise child.failed("ended while starting")
        if _says_ready(child.port, ready):
            return
        time.sleep(0.1)
    raise child.failed(f"was not ready within {_READY_SECONDS} s")


def _says_ready(port: int, ready: str) -> bool:
    asking = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        asking.request("GET", ready)
        return asking.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        asking.close()
