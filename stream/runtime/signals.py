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
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

T = TypeVar("T")

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)
_NOTHING_TO_RELOAD: Final = (
    "SIGHUP changes nothing: put policies in force with `breachwatch deploy`; for other files and settings, restart"
)

log = logging.getLogger("stream.signals")


class _StoppedError(Exception):
    """A signal came."""


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
    """``asyncio.run``, which SIGTERM and Ctrl-C cancel: then the process ends with status 0. Inside ``handled_signals``."""

    async def run() -> T:
        task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
        for number in _ENDING:
            loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            raise _StoppedError from None

    try:
        return asyncio.run(run())
    except _StoppedError:
        log.info("stopped before it was ready")
        sys.exit(0)
    finally:
        for number in _ENDING:
            signal.signal(number, _end)


def _end(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


def _terminate(_number: int, _frame: object) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _note(_number: int, _frame: object) -> None:
    log.warning(_NOTHING_TO_RELOAD)
