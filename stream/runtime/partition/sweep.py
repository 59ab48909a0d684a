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

if TYPE_CHECKING:
    from stream.runtime.recovery.tickets import Tickets
    from stream.runtime.timers import TimerQueue


class Sweep:
    """The tickets that are still to be woken.

    Nothing here takes longer with the number of tickets, but for copies of lists at the beginning: deadlines wait meanwhile.
    """

    __slots__ = ("_again", "_due", "_heap", "_others", "_sharing", "_tickets", "_timed", "_untimed", "number")

    def __init__(self, number: int, tickets: Tickets, timers: TimerQueue) -> None:
        """``number``: of the deployment. ``tickets``: those of the partition."""
        self.number: Final = number
        self._tickets: Final = tickets
        self._heap, self._due = timers.snapshot()
        self._sharing: list[bytes] = []
        """What is left of the tickets that share an instant."""
        self._timed: int = len(timers)
        """The number of tickets in the three, but for those that have lost or got an instant since."""
        self._untimed: int = len(tickets) - len(timers)
        """The number of ``_others`` that wait for nothing."""
        self._others: Final[list[bytes]] = [*tickets][::-1]
        """After those of the heap. Whoever has got an instant since has met the deployment, or is in ``_again``."""
        self._again: Final[list[bytes]] = []

    def __len__(self) -> int:
        """About how many tickets are left."""
        return max(self._timed, 0) + max(self._untimed, 0) + len(self._again)

    def add(self, key: bytes) -> None:
        """Wake this ticket (again), after all others."""
        self._again.append(key)

    def take(self) -> bytes | None:
        """The next ticket's record key; ``None``: the sweep is done. A few tickets come twice."""
        while not self._sharing and self._heap:
            due = self._due.pop(heappop(self._heap), None)
            if isinstance(due, bytes):
                self._timed -= 1
                return due
            if due is not None:
                self._sharing = list(due)[::-1]
        if self._sharing:
            self._timed -= 1
            return self._sharing.pop()
        self._timed = 0
        while self._others:
            key = self._others.pop()
            if not self._tickets.is_timed(key):
                self._untimed -= 1
                return key
        return self._again.pop() if self._again else None
