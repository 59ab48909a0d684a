"""Ladders: which level is due, on which stopwatch, and when.

A ladder stands on a stopwatch of its own, or on that of a commitment; then its marks may lie before and after the deadline.
Rules:

1. A level is raised once a cycle, however often targets change; a change that makes several levels due raises them in order.
2. When the ticket is solved, a raised ladder is released; when it is reopened, the ladder recurs at its highest raised level.
3. Levels are those of the plan for the ticket's present fields; a level raised under other fields stays raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from stream.sla.commitment import Verdict, mark_instant, resolve
from stream.sla.policy import MarkKind

if TYPE_CHECKING:
    from stream.sla.commitment import Pledge
    from stream.sla.policy import Level, Mark, Rungs
    from stream.sla.stopwatch import Stopwatch

_OPEN = (Verdict.PENDING, Verdict.BREACHED)


class Climb(msgspec.Struct, array_like=True, gc=False):
    """How one ladder stands on one ticket."""

    policy: str
    version: int
    row: str
    """The metric row on whose stopwatch it stands."""
    cycle: int
    floor: int = 0
    """When the present times of its levels took hold (epoch microseconds)."""
    raised: list[str] = []
    """Names of the levels that were raised, in order."""
    released: bool = False
    turn: int = 0
    """How often it was released: tells the facts of one release from those of the next."""
    next: int | None = None
    """The next instant at which a level is due, if no event comes first."""

    def copy(self) -> Climb:
        return msgspec.structs.replace(self, raised=list(self.raised))

    def look_ahead(self, rungs: Rungs, watch: Stopwatch, pledge: Pledge | None) -> None:
        """Find the next instant anew, after anything about the stopwatch, the commitment or the levels has changed."""
        self.next = min((instant for _, _, instant in self.pending(rungs, watch, pledge)), default=None)

    def pending(self, rungs: Rungs, watch: Stopwatch, pledge: Pledge | None) -> list[tuple[Level, Mark, int]]:
        """The levels not yet raised that are in sight, each with its mark and instant, in the order of the policy."""
        if not watch.on or self.released:
            return []
        if rungs.ladder.commitment and (pledge is None or pledge.verdict not in _OPEN):
            return []
        found = []
        for level, mark in rungs.levels:
            if level.name not in self.raised:
                instant = self._instant(mark, rungs, watch, pledge)
                if instant is not None:
                    found.append((level, mark, instant))
        return found

    def _instant(self, mark: Mark, rungs: Rungs, watch: Stopwatch, pledge: Pledge | None) -> int | None:
        if rungs.ladder.commitment:
            instant = None if pledge is None else mark_instant(mark, pledge, watch, rungs.calendar)
        elif mark.kind is MarkKind.USED:
            amount = resolve(mark.duration, rungs.calendar, watch.began)
            instant = watch.reaches(amount.micros, amount.clock, rungs.calendar)
        else:
            instant = None
        return None if instant is None else max(instant, self.floor)
