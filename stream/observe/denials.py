"""Logs requests that were denied, so that a wrong token or an attack is seen. A hostile client must not fill the log."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

_EVERY: Final = 10.0
"""Seconds from one line to the next. Requests in between are counted."""
_LONGEST: Final = 80


class Denials:
    """The denied requests of one server. Every thread may use it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._unlogged = 0
        self._next = clock()

    def add(self, client: str, path: str, why: str) -> None:
        """``client``: the address that the request came from. ``why``: what was wrong with it, never with its token."""
        with self._lock:
            now = self._clock()
            if now < self._next:
                self._unlogged += 1
                return
            more, self._unlogged, self._next = self._unlogged, 0, now + _EVERY
        before = f"; {more} more were denied since the last such line" if more else ""
        log.warning("denied %r to %s: %s%s", path[:_LONGEST], client or "an unknown client", why, before)
