"""Decides when a unit of work yields to other tasks, and when it ends."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.runtime.partition.changes import Changes

MOST_OUTPUTS: Final = 4_000
"""A unit ends when it has this many effects and dead letters (one event may add a few): a successor reads them back."""
MOST_WOKEN: Final = 2_000
"""A unit wakes no more tickets than this: their states are written as one."""
MOST_SECONDS: Final = 0.1
"""A unit ends after so much work: what it emits goes out when it ends."""
SLICE_SECONDS: Final = 0.01
"""Work at a stretch. In between the event loop does what else there is: other partitions' deadlines, heartbeats, answers of
the broker. An event takes some ten steps of the loop from the broker to its effects, and each may wait for a slice of each
partition."""
SWEEP_PART: Final = 0.25
"""Of both in a sweep, in which nothing is urgent: deadlines and events of the partition wait for it and for its writing,
those of other partitions for its slices."""


class Stop(Enum):
    """Why a unit of work stops looking at tickets."""

    DONE = auto()
    FULL = auto()
    """The rest is for another unit, when this one is written."""
    YIELD = auto()
    """It goes on after ``UnitOfWork.resumed``."""


_FULL: Final = Stop.FULL
_YIELD: Final = Stop.YIELD


class TimeSlices:
    """The working time of one unit of work. Time in which other tasks run does not count."""

    def __init__(self, passing: Callable[[], float], part: float) -> None:
        """``passing``: seconds, of a clock nobody sets. ``part``: of the usual length of the unit and of its slices."""
        self.idle = True
        """Nothing was done since the slice began: it goes on, however long the first step takes."""
        self._passing: Final = passing
        self._slice: Final = part * SLICE_SECONDS
        self._stopped = passing()
        self._ends = self._stopped + part * MOST_SECONDS
        self._yield_at = self._stopped + self._slice

    def stop(self, changes: Changes) -> Stop | None:
        """Why the unit stops now; ``None``: it goes on."""
        if len(changes.effects) + len(changes.dead_letters) >= MOST_OUTPUTS or changes.woken >= MOST_WOKEN:
            return _FULL
        now = self._passing()
        if now >= self._ends:
            return _FULL
        return _YIELD if now >= self._yield_at and not self.idle else None

    def suspend(self) -> None:
        """The slice is over."""
        self._stopped = self._passing()

    def resume(self) -> None:
        """Begin the next slice."""
        now = self._passing()
        self._ends += now - self._stopped
        self._yield_at = now + self._slice
        self.idle = True
