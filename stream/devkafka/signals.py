"""Handles the signals that end a program: Ctrl-C, SIGTERM and a closed terminal all raise ``KeyboardInterrupt``, once.

Later signals are ignored, so that a second Ctrl-C does not interrupt the shutdown. For the main thread only.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Make these signals raise ``KeyboardInterrupt`` inside the block, and restore their handlers after it."""

    def end(_number: int, _frame: object) -> None:
        _ignore_the_rest()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(main: Coroutine[object, object, None]) -> None:
    """``asyncio.run`` for use inside ``ended_by_signals``.

    A signal cancels ``main``, which can then clean up; after that, ``KeyboardInterrupt`` is raised. If it were raised inside
    the event loop, it would leave tasks half done.
    """
    before = {number: signal.getsignal(number) for number in _ENDING}
    try:
        asyncio.run(_cancelled_by_signals(main))
    except asyncio.CancelledError:
        _ignore_the_rest()
        raise KeyboardInterrupt from None
    else:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _cancelled_by_signals(main: Coroutine[object, object, None]) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(main)

    def cancel() -> None:
        if not task.cancelling():
            task.cancel()

    for number in _ENDING:
        loop.add_signal_handler(number, cancel)
    try:
        await task
    finally:
        for number in _ENDING:
            loop.remove_signal_handler(number)


def _ignore_the_rest() -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
