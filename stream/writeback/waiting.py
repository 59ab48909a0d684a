"""The tickets of one desk that wait to be written, by when. Pure: time is an argument, in seconds."""

from __future__ import annotations

import heapq
from typing import Final


class Waiting:
    """Each ticket waits once, whatever happens to it meanwhile. So what happens within seconds is written together."""

    def __init__(self) -> None:
        self._due: Final[dict[str, float]] = {}
        self._since: Final[dict[str, float]] = {}
        self._heap: Final[list[tuple[float, str]]] = []

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, ticket: str) -> bool:
        return ticket in self._due

    @property
    def next(self) -> float | None:
        """The time at which the next ticket is due; ``None``: none waits."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    @property
    def oldest(self) -> float:
        """Since when the ticket that has waited longest waits; 0: no ticket waits."""
        return min(self._since.values(), default=0.0)

    def add(self, ticket: str, due: float, since: float) -> None:
        """Let a ticket wait, unless it does. ``since``: when what is to be written became known."""
        if ticket not in self._due:
            self._due[ticket] = due
            heapq.heappush(self._heap, (due, ticket))
        self._since.setdefault(ticket, since)

    def take(self, now: float) -> tuple[str, float] | None:
        """A ticket that is due, and since when it has waited; it no longer waits. ``None``: none is due."""
        at = self.next
        if at is None or at > now:
            return None
        _, ticket = heapq.heappop(self._heap)
        del self._due[ticket]
        return ticket, self._since.pop(ticket)

    def clear(self) -> None:
        self._due.clear()
        self._since.clear()
        self._heap.clear()
