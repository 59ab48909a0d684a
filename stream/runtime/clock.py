"""The machine's clock, which somebody may set: how often it was, and no haste when it jumps ahead."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_STEP: Final = 1_000_000
"""Microseconds by which the clock and time as it passes may differ between two readings; daemons adjust by less."""
_HOLD: Final = 500_000
"""Microseconds for which a jump ahead is not believed."""


class Clock:
    """Epoch microseconds. Deadlines go by what it says, so none is lost when it is set back: it comes again."""

    def __init__(
        self,
        stepped: Callable[[int], None],
        wall: Callable[[], int] = lambda: time.time_ns() // 1_000,
        passing: Callable[[], int] = lambda: time.monotonic_ns() // 1_000,
    ) -> None:
        """``stepped`` is told each step, microseconds, ahead or back. ``passing``: microseconds of a clock nobody sets."""
        self._stepped: Final = stepped
        self._wall: Final = wall
        self._passing: Final = passing
        self._offset = wall() - passing()
        self._believed = self._offset
        self._hold_until = passing()

    def now(self) -> int:
        """What time it is. A step ahead counts after half a second only: it may be a mistake that is being mended."""
        wall, passing = self._wall(), self._passing()
        offset = wall - passing
        step = offset - self._offset
        if abs(step) > _STEP:
            self._stepped(step)
            if step > 0 and passing >= self._hold_until:
                self._believed, self._hold_until = self._offset, passing + _HOLD
        self._offset = offset
        return min(wall, passing + self._believed) if passing < self._hold_until else wall
