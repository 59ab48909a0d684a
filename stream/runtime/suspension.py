"""Detects that this process was suspended or starved for so long that other workers may have taken over its partitions.

The group replaces a worker that is silent for its whole session. When such a worker wakes up, it does not know this and would
continue until the broker refuses it. So after half a session without a check, the worker asks the broker before it writes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_CHECKS: Final = 16
"""The number of checks within the allowed time."""

log = logging.getLogger(__name__)


class SuspensionDetector:
    """Counts suspensions: gaps of more than ``allowed`` seconds between two checks."""

    def __init__(self, allowed: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` is a monotonic clock in seconds."""
        self.suspensions = 0
        self._allowed: Final = allowed
        self._clock: Final = clock
        self._last = clock()

    def check(self) -> int:
        """Return the number of suspensions so far."""
        now = self._clock()
        if now - self._last > self._allowed:
            self.suspensions += 1
            log.warning("was suspended for %.1f s: checking whether it still owns its partitions", now - self._last)
        self._last = now
        return self.suspensions

    async def watch(self) -> None:
        """Check often, until cancelled, so that an idle process does not count as suspended."""
        while True:
            self.check()
            await asyncio.sleep(self._allowed / _CHECKS)
