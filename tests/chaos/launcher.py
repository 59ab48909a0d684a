"""``breachwatch`` with another clock, and with an event loop that can be made to hang: ``launcher.py CLOCK-FILE worker ...``.

Nothing else is changed, and nothing in the program knows of it.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stream.cli.main import main
from stream.runtime import clock, worker
from tests.chaos.pace import WorkerClock

if TYPE_CHECKING:
    from collections.abc import Callable

HANG: Final = signal.SIGRTMIN + 1
"""On this signal the main thread, and so the event loop, does nothing for as long as the clock's file states."""


def launch(file: Path, arguments: list[str]) -> None:
    paced = WorkerClock(file)
    speed = paced.pace.speed
    module: Any = clock
    # What is short for a machine must be short at this pace.
    module._STEP *= speed
    module._HOLD *= speed

    class PacedClock(clock.SystemClock):
        def __init__(self, stepped: Callable[[int], None]) -> None:
            super().__init__(stepped, paced.wall, paced.passing)

    replaced: Any = worker
    replaced.SystemClock = PacedClock
    signal.signal(HANG, lambda *_: time.sleep(paced.hang / 1e6))
    try:
        main(arguments, prog_name="breachwatch")
    finally:
        # The interpreter takes handlers away before the process is gone: the signal would end a worker that has ended.
        signal.signal(HANG, signal.SIG_IGN)


if __name__ == "__main__":
    launch(Path(sys.argv[1]), sys.argv[2:])
