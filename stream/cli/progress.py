"""Shows on standard error how far a long command is: one line that is redrawn on a terminal, else a line every 10 s."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Final, Self

import click

from stream.wire.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    T = TypeVar("T")

REDRAWN_EVERY: Final = 0.2
"""Seconds."""
REPORTED_EVERY: Final = 10.0
_CLEAR: Final = "\r\x1b[K"


class Progress:
    """A context manager around the work, which calls ``update`` often: it costs a look at the clock."""

    def __init__(self, text: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        """``text``: how far the work is."""
        # Data that is written to the same terminal shows the progress itself, and would be torn by a line that is redrawn.
        self._redrawn: Final = _is_terminal(sys.stderr) and not _is_terminal(sys.stdout)
        self._every: Final = REDRAWN_EVERY if self._redrawn else REPORTED_EVERY
        self._silent: Final = not self._redrawn and _is_terminal(sys.stderr)
        self._text: Final = text
        self._clock: Final = clock
        self._next = clock() + self._every
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def update(self) -> None:
        """Show the text, if it is time to."""
        if self._silent or self._clock() < self._next:
            return
        self._next = self._clock() + self._every
        if self._redrawn:
            click.echo(f"{_CLEAR}{self._text()}", nl=False, err=True, color=True)
            self._drawn = True
        else:
            click.echo(self._text(), err=True)

    def echo(self, text: str) -> None:
        """Write another line to standard error. It may quote what was read, which must not control the terminal."""
        self._clear()
        click.echo(printable(text), err=True)

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """The items, with an update before each."""
        for item in items:
            self.update()
            yield item

    def _clear(self) -> None:
        if self._drawn:
            click.echo(_CLEAR, nl=False, err=True, color=True)
            self._drawn = False


def _is_terminal(stream: object) -> bool:
    is_terminal = getattr(stream, "isatty", None)
    return is_terminal is not None and bool(is_terminal()) and os.environ.get("TERM") != "dumb"


def share(done: float | None) -> str:
    """``, 35 % of the file``; empty if it is not known. ``done``: from 0 to 1."""
    return "" if done is None else f", {100 * done:.0f} % of the file"
