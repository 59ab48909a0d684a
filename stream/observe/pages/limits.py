"""How much of a worker its pages may take: who asks too much is told to come again, and detection does not wait.

Pages are made one after the other. Threads share the interpreter with the event loop that detects breaches, and each page that
is being made could keep it from the loop for some milliseconds at a time: one does, many would add up.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AT_ONCE: Final = 8
"""Requests for pages that are answered or wait for it."""
A_SECOND: Final = 30
"""Pages a second, in the long run."""
BURST: Final = 300
"""Pages at once after a quiet time: people notice no limit, nor does a program that asks for a team's open tickets."""


class TooManyRequestsError(Exception):
    """A request is not answered. ``rate``: because of how many there were, not of how many there are."""

    def __init__(self, *, rate: bool, wait: int) -> None:
        super().__init__("too many pages are asked for" if rate else "too many pages are asked for at once")
        self.rate = rate
        self.wait = wait
        """Seconds after which to come again."""


class Limits:
    """One for a worker; safe to use from any thread."""

    def __init__(
        self,
        *,
        at_once: int = AT_ONCE,
        a_second: float = A_SECOND,
        burst: float = BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = threading.BoundedSemaphore(at_once)
        self._turn = threading.Lock()
        self._books = threading.Lock()
        self._a_second = a_second
        self._burst = self._left = burst
        self._clock = clock
        self._counted = clock()

    @contextmanager
    def page(self) -> Iterator[None]:
        """Inside, a page is made, and no other one. Raises TooManyRequestsError instead of letting many wait."""
        self._count()
        if not self._places.acquire(blocking=False):
            raise TooManyRequestsError(rate=False, wait=1)
        try:
            with self._turn:
                yield
        finally:
            self._places.release()

    def _count(self) -> None:
        with self._books:
            now = self._clock()
            self._left = min(self._burst, self._left + (now - self._counted) * self._a_second)
            self._counted = now
            if self._left < 1:
                raise TooManyRequestsError(rate=True, wait=ceil((1 - self._left) / self._a_second))
            self._left -= 1
