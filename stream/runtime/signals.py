"""Signals to a program that runs until it is stopped.

SIGTERM and Ctrl-C stop it in good order, with status 0, also while it waits for a broker. SIGHUP stops a program that has lost
its terminal. Elsewhere it means "read your files again" by custom, and there is nothing to read: it is logged.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

T = TypeVar("T")

PATIENCE: Final = 10.0
"""Seconds until a process ends whose event loop is blocked, or in which a client does not close."""
_ENDING: Final = (signal.SIGTERM, signal.SIGINT)
_NOTHING_TO_RELOAD: Final = (
    "SIGHUP changes nothing: put policies in force with `breachwatch deploy`; for other files and settings, restart"
)

log = logging.getLogger("stream.signals")


@contextmanager
def handled_signals() -> Iterator[None]:
    """Inside, SIGTERM and Ctrl-C end the process with status 0, and SIGHUP does what is stated above. Main thread only."""
    before = {number: signal.getsignal(number) for number in (*_ENDING, signal.SIGHUP)}
    for number in _ENDING:
        signal.signal(number, _end)
    if before[signal.SIGHUP] is not signal.SIG_IGN:  # as `nohup` sets it
        # Asked now: a terminal that is gone is none.
        in_a_terminal = sys.stdin is not None and sys.stdin.isatty()
        signal.signal(signal.SIGHUP, _terminate if in_a_terminal else _note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_until_signal(work: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run``, which SIGTERM and Ctrl-C cancel: then the process ends with status 0, after ``PATIENCE`` at the latest.

    Inside ``handled_signals``, and only for work that leaves nothing half done.
    """
    stopped = False

    async def run() -> T:
        task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()

        def stop(_number: int, _frame: object) -> None:
            nonlocal stopped
            if not stopped:
                stopped = True
                timer = threading.Timer(PATIENCE, _end_at_once)
                timer.daemon = True
                timer.start()
            loop.call_soon_threadsafe(task.cancel)

        for number in _ENDING:
            signal.signal(number, stop)  # not by the loop, which may be blocked
        return await task

    try:
        result = asyncio.run(run())
    except asyncio.CancelledError:
        pass
    else:
        if not stopped:
            return result
    finally:
        for number in _ENDING:
            signal.signal(number, _end)
    log.info("stopped before it was ready")
    sys.exit(0)


def _end_at_once() -> NoReturn:
    log.warning("stopped before it was ready, and at once: it had not ended after %g s", PATIENCE)
    os._exit(0)


def _end(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


def _terminate(_number: int, _frame: object) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _note(_number: int, _frame: object) -> None:
    log.warning(_NOTHING_TO_RELOAD)
