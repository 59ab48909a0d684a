"""A worker that reports when it reached which point of its start: ``python benchmarks/timed.py worker ...``.

Runs ``stream worker ...`` and writes ``POINT name instant`` lines to standard error, instants in seconds on the monotonic
clock, which all processes of a machine share; and ``PAUSE generation seconds`` for searches of the garbage collector.
``read`` gives them back to the benchmark.
"""

from __future__ import annotations

import functools
import gc
import inspect
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Seen(NamedTuple):
    """What a worker's log has."""

    points: dict[str, list[float]]
    """Instants at which each point was reached."""
    pauses: list[tuple[int, float]]
    """Generation and seconds of each search of the garbage collector."""


def read(log: Path) -> Seen:
    seen = Seen({}, [])
    for line in log.read_text("utf-8").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "POINT":
            name, _, instant = rest.rpartition(" ")
            seen.points.setdefault(name, []).append(float(instant))
        elif kind == "PAUSE":
            generation, seconds = rest.split()
            seen.pauses.append((int(generation), float(seconds)))
    return seen


def run(arguments: list[str]) -> None:
    _watch_the_collector()
    from stream.runtime import app, gc_tuning, takeover
    from stream.runtime.kafka import consumer
    from stream.runtime.partition import task
    from stream.runtime.recovery import store

    _around(app.App, "on_start", "started")
    _around(app, "take_over", "taking over")
    _around(takeover, "_index", "deadlines")
    _around(consumer.Consumer, "on_partitions_assigned", "assigned")
    _around(store.Store, "restore", "restore")
    _around(gc_tuning, "freeze", "freeze")
    for name in ("fence", "read_back"):
        _around(takeover, name, name)
    _around(task, "process_and_commit", "unit")
    from stream.cli.main import main

    _log_point("imported")
    sys.argv = ["stream", *arguments]
    main()


def _around(owner: Any, name: str, point: str) -> None:
    """Log when a function begins and when it ends."""
    function: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(function)
    async def waiting(*arguments: Any, **more: Any) -> Any:
        _log_point(f"{point} began")
        try:
            return await function(*arguments, **more)
        finally:
            _log_point(f"{point} ended")

    @functools.wraps(function)
    def straight(*arguments: Any, **more: Any) -> Any:
        _log_point(f"{point} began")
        try:
            return function(*arguments, **more)
        finally:
            _log_point(f"{point} ended")

    setattr(owner, name, waiting if inspect.iscoroutinefunction(function) else straight)


def _watch_the_collector() -> None:
    began = 0.0

    def note(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            sys.stderr.write(f"PAUSE {info['generation']} {time.perf_counter() - began:.6f}\n")

    gc.callbacks.append(note)


def _log_point(point: str) -> None:
    sys.stderr.write(f"POINT {point} {time.perf_counter():.6f}\n")


if __name__ == "__main__":
    run(sys.argv[1:])
