"""The sweep of a partition: after a deployment, every ticket is woken once.

1. It begins when the partition's clock has passed the instant from which the deployment holds.
2. Tickets are woken in the order of their next instants, the soonest first; then those that wait for nothing. A ticket meets
   the deployment before any deadline of it fires, whether the sweep, an event or a deadline reaches it first
   (``stream.sla.engine.Engine.wake``). So no deadline fires by a set that is no longer in force.
3. A ticket about which nothing changes is not written.
4. Closed tickets are among them: a deployment that became known late, or that took the place of another one, may take back
   what was decided.
5. The last unit of work writes the number of the deployment into the checkpoint. After a crash the sweep begins again, and
   finds the tickets that it had reached in order.
6. An event from before the deployment may arrive after the sweep has passed its ticket, or when the sweep is over. The ticket
   is then swept again. So is a ticket that an owner judges by what its predecessor knew, to find its effects again.
"""

from __future__ import annotations

from heapq import heappop
from typing import TYPE_CHECKING, Final

from stream.runtime.timers import SLOT

if TYPE_CHECKING:
    from collections.abc import Collection

    from stream.runtime.timers import TimerQueue


class Sweep:
    """The tickets that are still to be woken.

    Nothing here takes longer with the number of tickets, but for copies of lists at the beginning: deadlines wait meanwhile.
    """

    __slots__ = ("_again", "_heap", "_of_slot", "_others", "_timers", "_untimed", "number")

    def __init__(self, number: int, tickets: Collection[bytes], timers: TimerQueue) -> None:
        """``number``: of the deployment. ``tickets``: the record keys of all tickets of the partition."""
        self.number: Final = number
        self._timers: Final = timers
        self._heap, self._of_slot = timers.snapshot()
        self._untimed = len(tickets) - len(timers)
        """The number of ``_others`` that wait for nothing."""
        self._others: Final = [*tickets][::-1]
        """After those of the heap. Whoever has got an instant since has met the deployment, or is in ``_again``."""
        self._again: Final[list[bytes]] = []

    def __len__(self) -> int:
        """About how many tickets are left."""
        return len(self._heap) + max(self._untimed, 0) + len(self._again)

    def add(self, key: bytes) -> None:
        """Wake this ticket (again), after all others."""
        self._again.append(key)

    def take(self) -> bytes | None:
        """The next ticket's record key; ``None``: the sweep is done. A few tickets come twice."""
        while self._heap:
            key = self._of_slot[heappop(self._heap) & SLOT]
            if key:
                return key
        while self._others:
            key = self._others.pop()
            if key not in self._timers:
                self._untimed -= 1
                return key
        return self._again.pop() if self._again else None
