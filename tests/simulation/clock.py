"""The clock of one machine, as its worker reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.chaos.recording import Step

if TYPE_CHECKING:
    from tests.chaos.pace import Pace
    from tests.simulation.loop import Loop


class WorkerClock:
    """The clock of one machine, which somebody may set ahead or back, and set right again."""

    def __init__(self, pace: Pace, loop: Loop) -> None:
        self.steps: list[Step] = []
        """What was done to it. A step lasts until somebody has read the clock that was set right."""
        self._pace: Final = pace
        self._loop: Final = loop
        self._by = 0
        self._began = 0
        self._unseen: list[Step] = []

    @property
    def is_right(self) -> bool:
        return not self._by

    def set(self, by: int) -> None:
        """``by``: microseconds."""
        self._by, self._began = by, self._now()

    def set_right(self) -> None:
        self._unseen.append(Step(self._began, self._now(), self._by))
        self._by = 0

    def wall(self) -> int:
        while self._unseen:
            self.steps.append(self._unseen.pop()._replace(ended=self._now()))
        return self._pace.at(self._now()) + self._by

    def passing(self) -> int:
        return self._now() * self._pace.speed

    def _now(self) -> int:
        return int(self._loop.time() * 1e6)
