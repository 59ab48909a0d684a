"""The demo's worker: the real command in a process of its own, which ends with the demo."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.runtime.settings import PREFIX
from stream.tools.leash import Leash
from stream.tools.ports import free_port, is_free

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

USUAL_METRICS_PORT: Final = 9300
_READY_SECONDS: Final = 60
_STOP_SECONDS: Final = 20
_TAIL_LINES: Final = 25


class DemoError(Exception):
    """The demo could not be shown; the text says why."""


class Worker(NamedTuple):
    """The worker's process and where to look at it."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int
    """Of its pages: metrics, health, readiness."""

    @property
    def pages(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def failed(self, what: str) -> DemoError:
        lines = self.log.read_text("utf-8", "replace").splitlines()[-_TAIL_LINES:]
        return DemoError(f"{what}. The end of the worker's log:\n" + "\n".join(f"  {line}" for line in lines))


@contextmanager
def worker_running(folder: Path, settings: Mapping[str, str]) -> Iterator[Worker]:
    """A worker with these settings (``{"APP_ID": ...}``), ready for events; it keeps its log in ``folder``.

    Raises ``DemoError`` with the end of its log when it does not get ready.
    """
    port = USUAL_METRICS_PORT if is_free(USUAL_METRICS_PORT) else free_port()
    # Nothing of an installation's own settings may leak in: not its variables, and not a file in the current folder.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment |= {f"{PREFIX}{name}": value for name, value in settings.items()} | {f"{PREFIX}METRICS_PORT": str(port)}
    sources = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [sources, os.environ.get("PYTHONPATH")]))
    log = folder / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "stream", "worker"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    leash = Leash(process)
    try:
        worker = Worker(process, log, port)
        _wait_until_ready(worker)
        yield worker
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        leash.slip()
        process.wait()


def _wait_until_ready(worker: Worker) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if worker.process.poll() is not None:
            raise worker.failed("the worker ended while starting")
        if _says_ready(worker.port):
            return
        time.sleep(0.1)
    raise worker.failed(f"the worker was not ready within {_READY_SECONDS} s")


def _says_ready(port: int) -> bool:
    asking = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        asking.request("GET", "/readyz")
        return asking.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        asking.close()
