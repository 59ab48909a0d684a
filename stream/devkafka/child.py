"""Runs a server in a child process for the time of a ``with`` block: the demo's workers, Prometheus, Alertmanager."""

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
    """The demo failed; the text has the reason."""


class Child(NamedTuple):
    """The process of a server, with its log and its pages."""

    name: str
    """The name in messages, such as "the worker"."""
    process: subprocess.Popen[bytes]
    log: Path
    port: int
    """The port of its pages, on 127.0.0.1."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def failed(self, what: str) -> DemoError:
        """An error that consists of the name, ``what`` happened, and the last lines of the log."""
        lines = self.log.read_text("utf-8", "replace").splitlines()[-_TAIL_LINES:]
        return DemoError(f"{self.name} {what}. The end of its log:\n" + "\n".join(f"  {line}" for line in lines))


@contextmanager
def running(
    name: str, command: Sequence[str], log: Path, port: int, ready: str, variables: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """Run the command with these variables in the folder of its log, and yield when ``GET ready`` on its port returns 200.

    Raises ``DemoError`` with the end of the log if the server does not become ready.
    """
    # Neither the variables nor the file of an installation's own settings may affect the server.
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
        if _is_ready(child.port, ready):
            return
        time.sleep(0.1)
    raise child.failed(f"was not ready within {_READY_SECONDS} s")


def _is_ready(port: int, ready: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", ready)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
