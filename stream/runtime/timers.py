"""The next wake-up of each ticket of a partition, ordered by time. A change takes less than a microsecond.

Tickets stand by their instant, and a heap has the instants. The queue does not know the instant of a ticket: whoever moves a
ticket knows its state, which has it. So a ticket takes some ninety bytes here, and fewer where several share an instant.

When no ticket is left at an instant, the instant stays in the heap until it reaches the top.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

Due = bytes | dict[bytes, None]
"""The ticket of an instant, or all of them where there are several."""

_REBUILD_FROM: Final = 1024
"""With fewer instants, a rebuild without those that have no ticket does not pay."""
NEVER: Final = (1 << 62) - 1
"""Later than any instant."""


class TimerQueue:
    """One instant for each ticket, the soonest first. Tickets are record keys, instants are epoch microseconds."""

    def __init__(self) -> None:
        self._due: dict[int, Due] = {}
        """By instant."""
        self._heap: list[int] = []
        """Each instant that has tickets at least once, and others."""
        self._soonest: int = NEVER
        """No instant of a ticket is earlier."""
        self._count: int = 0

    def __len__(self) -> int:
        """The number of tickets that have an instant."""
        return self._count

    def move(self, ticket: bytes, before: int | None, instant: int | None) -> None:
        """Replace the ticket's instant. ``None``: it had none, or gets none.

        A ticket that was taken since, or that never was at ``before``, only gets its new instant.
        """
        if before is not None:
            ticket = self._remove(ticket, before)
        if instant is not None:
            self._add(ticket, instant)

    def _add(self, ticket: bytes, instant: int) -> None:
        due = self._due.get(instant)
        if due is None:
            self._due[instant] = ticket
            heap = self._heap
            heappush(heap, instant)
            if instant < self._soonest:
                self._soonest = instant
            if len(heap) > _REBUILD_FROM and len(heap) > 2 * len(self._due):
                self._heap = list(self._due)
                heapify(self._heap)
        elif isinstance(due, bytes):
            if due == ticket:
                return
            self._due[instant] = {due: None, ticket: None}
        elif ticket in due:
            return
        else:
            due[ticket] = None
        self._count += 1

    def _remove(self, ticket: bytes, instant: int) -> bytes:
        """Return the key: that which stood there, if it stood alone. The table has the same object, a record another one."""
        due = self._due.get(instant)
        if due is None:
            return ticket
        if isinstance(due, bytes):
            if due != ticket:
                return ticket
            del self._due[instant]
            ticket = due
        elif ticket not in due:
            return ticket
        else:
            del due[ticket]
            if not due:
                del self._due[instant]
        self._count -= 1
        return ticket

    def soonest(self) -> int | None:
        """The earliest instant of any ticket."""
        heap = self._heap
        while heap:
            top = heap[0]
            if top in self._due:
                self._soonest = top
                return top
            heappop(heap)
        self._soonest = NEVER
        return None

    def in_order(self) -> Iterator[tuple[int, bytes]]:
        """Yield instants and tickets, the soonest first, without removing them. An instant may have no ticket (``b""``).

        Each takes about five microseconds, for any number of tickets. The queue must not change during the iteration.
        """
        heap, last = self._heap, -1
        edge = [(heap[0], 0)] if heap else []
        while edge:
            instant, place = heappop(edge)
            for child in range(2 * place + 1, min(2 * place + 3, len(heap))):
                heappush(edge, (heap[child], child))
            due = None if instant == last else self._due.get(instant)
            last = instant
            if due is None:
                yield instant, b""
            elif isinstance(due, bytes):
                yield instant, due
            else:
                for ticket in due:
                    yield instant, ticket

    def snapshot(self) -> tuple[list[int], dict[int, Due]]:
        """A heap of instants, and what is due by instant, as they are now: some instants have no ticket.

        Takes some milliseconds for 100,000 tickets, which a sorted list would not.
        """
        copy = self._due.copy()
        for instant, due in self._due.items():
            if not isinstance(due, bytes):
                copy[instant] = due.copy()
        return self._heap.copy(), copy

    def take(self, until: int) -> bytes | None:
        """Remove the next ticket and return it; ``None``: its instant is after ``until``."""
        # Asked at every event: mostly a glance is enough.
        if self._soonest > until:
            return None
        instant = self.soonest()
        if instant is None or instant > until:
            return None
        due = self._due[instant]
        self._count -= 1
        if isinstance(due, bytes):
            del self._due[instant]
            heappop(self._heap)
            return due
        ticket, _ = due.popitem()
        if not due:
            del self._due[instant]
            heappop(self._heap)
        return ticket


class Expirations:
    """The instant at which each closed ticket is forgotten. It follows from more than the state, so it is kept by ticket."""

    def __init__(self) -> None:
        self._queue: Final = TimerQueue()
        self._instants: Final[dict[bytes, int]] = {}

    def __len__(self) -> int:
        return len(self._instants)

    def set(self, ticket: bytes, instant: int | None) -> None:
        """Replace the ticket's instant. ``None`` removes it."""
        before = self._instants.get(ticket)
        if before == instant:
            return
        self._queue.move(ticket, before, instant)
        if instant is None:
            del self._instants[ticket]
        else:
            self._instants[ticket] = instant

    def in_order(self) -> Iterator[tuple[int, bytes]]:
        """As of a ``TimerQueue``."""
        return self._queue.in_order()

    def take(self, until: int) -> bytes | None:
        """Remove the next ticket and return it; ``None``: its instant is after ``until``."""
        ticket = self._queue.take(until)
        if ticket is not None:
            del self._instants[ticket]
        return ticket
