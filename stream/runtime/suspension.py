"""Whether this process was away: stopped by its operating system, or busy, for so long that others may have its partitions.

A worker that is away for its whole session is replaced. It does not know when it wakes, and until the broker tells it so
it would go on where it was. So after half a session it asks before it writes anything.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOKS: Final = 16
"""Times that we look within the time that is allowed."""

log = logging.getLogger(__name__)


class SuspensionDetector:
    """Counts absences. ``allowed``: seconds between two looks that are none."""

    def __init__(self, allowed: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock``: seconds, of a clock that nobody sets."""
        self.suspensions = 0
        self._allowed: Final = allowed
        self._clock: Final = clock
        self._last = clock()

    def look(self) -> int:
        """How many absences there were until now."""
        now = self._clock()
        if now - self._last > self._allowed:
            self.suspensions += 1
            log.warning("was away for %.1f s: asking whether its partitions are still its own", now - self._last)
        self._last = now
        return self.suspensions

    async def watch(self) -> None:
        """Look often, for ever: having nothing to do is not being away."""
        while True:
            self.look()
            await asyncio.sleep(self._allowed / _LOOKS)
