"""Runs the demo's workers: each is the command ``breachwatch worker`` in a process that ends with the demo."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stream.devkafka.child import Child, running
from stream.devkafka.ports import claimed, free_port
from stream.runtime.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

USUAL_METRICS_PORT: Final = 9300


@contextmanager
def workers_running(folder: Path, settings: Mapping[str, str], count: int) -> Iterator[list[Child]]:
    """Run workers with these settings (``{"APP_ID": ...}``) and logs in ``folder``, and yield them when they are ready.

    Raises ``DemoError`` with the end of the log if a worker does not become ready.
    """
    sources = str(Path(__file__).parents[2])
    variables = {f"{PREFIX}{name}": value for name, value in settings.items()}
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, [sources, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "stream", "worker"]
    with ExitStack() as ending:
        workers = []
        for number in range(1, count + 1):
            port = USUAL_METRICS_PORT if number == 1 and ending.enter_context(claimed(USUAL_METRICS_PORT)) else free_port()
            name, log = ("the worker", "worker.log") if count == 1 else (f"worker {number}", f"worker-{number}.log")
            with_port = variables | {f"{PREFIX}METRICS_PORT": str(port)}
            workers.append(ending.enter_context(running(name, command, folder / log, port, "/readyz", with_port)))
        yield workers
