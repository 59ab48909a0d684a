"""The machine's clock. Reports when somebody sets it, and ignores a step ahead for half a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_STEP: Final = 1_000_000
"""Microseconds. Between two readings, a larger difference to the monotonic clock is a step. Daemons adjust by less."""
_HOLD: Final = 500_000
"""Microseconds for which a step ahead is ignored."""


class SystemClock:
    """Epoch microseconds. No timer is lost when the clock is set back, because its instant comes again."""

    def __init__(
        self,
        stepped: Callable[[int], None],
        wall: Callable[[], int] = lambda: time.time_ns() // 1_000,
        passing: Callable[[], int] = lambda: time.monotonic_ns() // 1_000,
    ) -> None:
        """``stepped`` is called with each step in microseconds, negative for a step back. ``passing`` is a monotonic clock
        in microseconds.
        """
        self._stepped: Final = stepped
        self._wall: Final = wall
        self._passing: Final = passing
        self._offset = wall() - passing()
        self._trusted = self._offset
        self._hold_until = passing()

    def now(self) -> int:
        """The current time. A step ahead takes effect after half a second, in case somebody corrects it by then."""
        wall, passing = self._wall(), self._passing()
        offset = wall - passing
        step = offset - self._offset
        if abs(step) > _STEP:
            self._stepped(step)
            if step > 0 and passing >= self._hold_until:
                self._trusted, self._hold_until = self._offset, passing + _HOLD
        self._offset = offset
        return min(wall, passing + self._trusted) if passing < self._hold_until else wall
