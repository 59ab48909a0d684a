"""Ends a long command at Ctrl-C or SIGTERM: it cleans up, reports what was done, and exits with 130 or 143.

A second signal ends the process at once.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from stream.cli.exit_codes import INTERRUPTED, TERMINATED

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

T = TypeVar("T")

_SIGNALS: Final = {signal.SIGINT: (INTERRUPTED, "Ctrl-C"), signal.SIGTERM: (TERMINATED, "SIGTERM")}


class Stopped(KeyboardInterrupt):
    """A signal has ended the work."""

    def __init__(self, number: signal.Signals) -> None:
        self.exit_code, self.name = _SIGNALS[number]
        super().__init__(self.name)


@contextmanager
def stoppable(report: Callable[[], str]) -> Iterator[None]:
    """Run the block until a signal ends it. ``report``: what was done until then, and where to go on.

    Raises click.exceptions.Exit after a signal. For the main thread.
    """

    def stop(number: int, _frame: object) -> None:
        _end_at_once_next_time()
        raise Stopped(signal.Signals(number))

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    except Stopped as stopped:
        click.echo(f"\nstopped by {stopped.name}: {report()}", err=True)
        raise click.exceptions.Exit(stopped.exit_code) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(work: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run`` within ``stoppable``: a signal cancels the work, which cleans up. Then ``Stopped`` is raised."""
    return asyncio.run(cancelled_by_signals(work))


async def cancelled_by_signals(work: Coroutine[Any, Any, T]) -> T:
    """Await ``work``. Raises ``Stopped`` if Ctrl-C or SIGTERM has cancelled it."""
    task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
    received: list[signal.Signals] = []

    def cancel(number: signal.Signals) -> None:
        received.append(number)
        _remove_handlers(loop)
        _end_at_once_next_time()
        task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, cancel, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        raise Stopped(received[0]) from None
    finally:
        if not received:
            _remove_handlers(loop)


def _remove_handlers(loop: asyncio.AbstractEventLoop) -> None:
    for number in _SIGNALS:
        loop.remove_signal_handler(number)


def _end_at_once_next_time() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
