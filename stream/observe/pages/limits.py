"""Rate limit for the status pages, so that requests cannot delay detection.

Pages are built one after another. The threads that build them share the interpreter with the event loop that detects breaches,
and each may hold it for some milliseconds at a time. One such delay is acceptable; many at once are not.
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
"""Number of requests that may be in progress or waiting."""
A_SECOND: Final = 30
"""Pages per second on average."""
BURST: Final = 300
"""Pages at once after a quiet time. People do not reach it, nor does a program that fetches the open tickets of a team."""


class TooManyRequestsError(Exception):
    """A request is rejected. ``rate``: whether the rate is too high; otherwise too many requests are waiting."""

    def __init__(self, *, rate: bool, wait: int) -> None:
        super().__init__("too many pages were requested" if rate else "too many requests are waiting")
        self.rate = rate
        self.wait = wait
        """Seconds after which the client should retry."""


class Limits:
    """The limits of one worker. Every thread may use them."""

    def __init__(
        self,
        *,
        at_once: int = AT_ONCE,
        a_second: float = A_SECOND,
        burst: float = BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting = threading.BoundedSemaphore(at_once)
        self._building = threading.Lock()
        self._counting = threading.Lock()
        self._a_second = a_second
        self._burst = self._allowed = burst
        self._clock = clock
        self._counted_at = clock()

    @contextmanager
    def page(self) -> Iterator[None]:
        """Build a page inside; one is built at a time. Raises TooManyRequestsError if the rate or the queue is exceeded."""
        self._count()
        if not self._waiting.acquire(blocking=False):
            raise TooManyRequestsError(rate=False, wait=1)
        try:
            with self._building:
                yield
        finally:
            self._waiting.release()

    def _count(self) -> None:
        with self._counting:
            now = self._clock()
            self._allowed = min(self._burst, self._allowed + (now - self._counted_at) * self._a_second)
            self._counted_at = now
            if self._allowed < 1:
                raise TooManyRequestsError(rate=True, wait=ceil((1 - self._allowed) / self._a_second))
            self._allowed -= 1
