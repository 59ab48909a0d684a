"""When to wake which ticket of a partition: an index of instants that costs about a microsecond a change.

A heap of integers, ``instant << 32 | slot``: integers compare in one step and the garbage collector does not look at
them, where tuples cost three times the time and make every full collection slower. An entry is not taken out of the
heap when its ticket's instant changes; it is recognised as stale when it comes up, because its ticket has another by
then. The heap and the tickets share the integers: of a million tickets each costs about a hundred bytes here.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SLOT_BITS: Final = 32
_SLOT: Final = (1 << _SLOT_BITS) - 1
_REBUILD_FROM: Final = 1024
"""Below this many entries stale ones are not worth a rebuild."""


class TimerQueue:
    """One instant a ticket, the soonest first. Tickets are record keys, instants epoch microseconds."""

    def __init__(self) -> None:
        self._entry_of: dict[bytes, int] = {}
        self._ticket: list[bytes] = []
        """By slot."""
        self._free: list[int] = []
        self._heap: list[int] = []

    def __len__(self) -> int:
        """How many tickets have an instant."""
        return len(self._entry_of)

    def set(self, ticket: bytes, instant: int | None) -> None:
        """Wake the ticket then, and only then; ``None``: nothing is due ever."""
        entry = self._entry_of.get(ticket)
        if instant is None:
            if entry is not None:
                self._release(ticket, entry & _SLOT)
            return
        if entry is None:
            slot = self._take_slot(ticket)
        elif entry >> _SLOT_BITS == instant:
            return
        else:
            slot = entry & _SLOT
        entry = instant << _SLOT_BITS | slot
        self._entry_of[ticket] = entry
        heappush(self._heap, entry)
        if len(self._heap) > _REBUILD_FROM and len(self._heap) > 2 * len(self._entry_of):
            self._heap = list(self._entry_of.values())
            heapify(self._heap)

    def soonest(self) -> int | None:
        """The next instant at which some ticket is to be woken."""
        heap = self._heap
        while heap:
            top = heap[0]
            if self._entry_of.get(self._ticket[top & _SLOT]) == top:
                return top >> _SLOT_BITS
            heappop(heap)
        return None

    def in_order(self) -> Iterator[tuple[int, bytes]]:
        """Instants and tickets, the soonest first, nothing taken; an entry that is stale has no ticket (``b""``).

        The cost is that of the entries asked for, about five microseconds each, however many tickets there are. Nothing may
        be changed before the last one is asked for.
        """
        heap, seen = self._heap, set()
        edge = [(heap[0], 0)] if heap else []
        while edge:
            entry, place = heappop(edge)
            for child in range(2 * place + 1, min(2 * place + 3, len(heap))):
                heappush(edge, (heap[child], child))
            ticket = self._ticket[entry & _SLOT]
            # Set to another instant and back again, a ticket has two entries that are both right.
            if self._entry_of.get(ticket) == entry and ticket not in seen:
                seen.add(ticket)
                yield entry >> _SLOT_BITS, ticket
            else:
                yield entry >> _SLOT_BITS, b""

    def __contains__(self, ticket: bytes) -> bool:
        """Whether the ticket has an instant."""
        return ticket in self._entry_of

    def soonest_first(self) -> list[bytes]:
        """The tickets that have an instant, the soonest first: about half a microsecond each."""
        return [self._ticket[entry & _SLOT] for entry in sorted(self._entry_of.values())]

    def take(self, until: int) -> bytes | None:
        """The next ticket, if its instant is not after ``until``; it has no instant until one is set again."""
        instant = self.soonest()
        if instant is None or instant > until:
            return None
        slot = heappop(self._heap) & _SLOT
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
