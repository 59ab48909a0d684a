"""The next wake-up of each ticket of a partition, ordered by time. A change takes about a microsecond.

The queue is a heap of integers, ``instant << 32 | slot``. Integers compare in one step, and the garbage collector does not
visit them; tuples would take three times as long and slow down every full collection. When the instant of a ticket changes,
its old entry stays in the heap. The entry is recognised as stale when it reaches the top, because the ticket then has another
one. Heap and tickets share the integers, so a ticket takes about a hundred bytes here.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SLOT_BITS: Final = 32
SLOT: Final = (1 << _SLOT_BITS) - 1
_REBUILD_FROM: Final = 1024
"""With fewer entries, a rebuild without the stale ones does not pay."""
NEVER: Final = (1 << 62) - 1
"""Later than any instant."""


class TimerQueue:
    """One instant for each ticket, the soonest first. Tickets are record keys, instants are epoch microseconds."""

    def __init__(self) -> None:
        self._entry_of: dict[bytes, int] = {}
        self._ticket: list[bytes] = []
        """The ticket of each slot."""
        self._free: list[int] = []
        self._heap: list[int] = []
        self._soonest: int = NEVER
        """No entry of the heap has an earlier instant. The entries are too large for the fast arithmetic of compiled code."""

    def __len__(self) -> int:
        """The number of tickets that have an instant."""
        return len(self._entry_of)

    def set(self, ticket: bytes, instant: int | None) -> None:
        """Replace the ticket's instant. ``None`` removes it."""
        entry = self._entry_of.get(ticket)
        if instant is None:
            if entry is not None:
                self._release(ticket, entry & SLOT)
            return
        if entry is None:
            slot = self._take_slot(ticket)
        elif entry >> _SLOT_BITS == instant:
            return
        else:
            slot = entry & SLOT
        entry = instant << _SLOT_BITS | slot
        self._entry_of[ticket] = entry
        heappush(self._heap, entry)
        if instant < self._soonest:
            self._soonest = instant
        if len(self._heap) > _REBUILD_FROM and len(self._heap) > 2 * len(self._entry_of):
            self._heap = list(self._entry_of.values())
            heapify(self._heap)

    def soonest(self) -> int | None:
        """The earliest instant of any ticket."""
        heap = self._heap
        while heap:
            top = heap[0]
            if self._entry_of.get(self._ticket[top & SLOT]) == top:
                self._soonest = top >> _SLOT_BITS
                return self._soonest
            heappop(heap)
        self._soonest = NEVER
        return None

    def in_order(self) -> Iterator[tuple[int, bytes]]:
        """Yield instants and tickets, the soonest first, without removing them. A stale entry has no ticket (``b""``).

        Each entry takes about five microseconds, for any number of tickets. The queue must not change during the iteration.
        """
        heap, seen = self._heap, set()
        edge = [(heap[0], 0)] if heap else []
        while edge:
            entry, place = heappop(edge)
            for child in range(2 * place + 1, min(2 * place + 3, len(heap))):
                heappush(edge, (heap[child], child))
            ticket = self._ticket[entry & SLOT]
            # A ticket whose instant was changed and changed back has two valid entries.
            if self._entry_of.get(ticket) == entry and ticket not in seen:
                seen.add(ticket)
                yield entry >> _SLOT_BITS, ticket
            else:
                yield entry >> _SLOT_BITS, b""

    def __contains__(self, ticket: bytes) -> bool:
        """Whether the ticket has an instant."""
        return ticket in self._entry_of

    def snapshot(self) -> tuple[list[int], list[bytes]]:
        """A heap of entries and the ticket of each slot (an entry's lowest 32 bits), as they are now.

        Some entries are stale: their ticket has another one as well, or is ``b""``. Takes a millisecond for 100,000 tickets,
        which a sorted list would not.
        """
        return self._heap.copy(), self._ticket.copy()

    def take(self, until: int) -> bytes | None:
        """Remove the instant of the next ticket and return the ticket, or ``None`` if its instant is after ``until``."""
        # Asked at every event: mostly a glance is enough.
        if self._soonest > until:
            return None
        instant = self.soonest()
        if instant is None or instant > until:
            return None
        slot = heappop(self._heap) & SLOT
        ticket = self._ticket[slot]
        self._release(ticket, slot)
        return ticket

    def _take_slot(self, ticket: bytes) -> int:
        if self._free:
            slot = self._free.pop()
            self._ticket[slot] = ticket
        else:
            slot = len(self._ticket)
            self._ticket.append(ticket)
        return slot

    def _release(self, ticket: bytes, slot: int) -> None:
        del self._entry_of[ticket]
        self._ticket[slot] = b""
        self._free.append(slot)
