"""The offsets up to which the outputs are written back, and which may be committed. Pure."""

from __future__ import annotations

from typing import Final


class Progress:
    """Offsets of the effects whose tickets are not yet written, by ticket and partition.

    A partition is done up to its lowest such offset, or up to its position if there is none.
    """

    def __init__(self) -> None:
        self._open: Final[dict[str, dict[str, int]]] = {}
        self._busy: Final[dict[str, dict[str, int]]] = {}
        """Of tickets that are being written."""
        self._position: Final[dict[str, int]] = {}

    def __len__(self) -> int:
        return len(self._open) + len(self._busy)

    def read(self, ticket: str | None, place: str, offset: int) -> None:
        """An effect was read. ``ticket`` ``None``: nothing is written of it. ``place``: its topic and partition."""
        if ticket is not None:
            self._open.setdefault(ticket, {}).setdefault(place, offset)
        self._position[place] = offset + 1

    def begin(self, ticket: str) -> None:
        """The ticket is being written: what comes of it from now on is another matter."""
        self._busy[ticket] = self._open.pop(ticket, {})

    def end(self, ticket: str, done: bool) -> None:
        """The writing has ended. ``done``: and need not be repeated."""
        began = self._busy.pop(ticket)
        if not done:
            self._open[ticket] = self._open.get(ticket, {}) | began  # what began earlier has the lower offsets

    def is_open(self, ticket: str) -> bool:
        """Something of the ticket is not yet written."""
        return ticket in self._open or ticket in self._busy

    def done(self) -> dict[str, int]:
        """The offset after the last effect that is done with, by topic and partition."""
        found = dict(self._position)
        for offsets in (*self._open.values(), *self._busy.values()):
            for place, offset in offsets.items():
                found[place] = min(found[place], offset)
        return found

    def clear(self) -> None:
        self._open.clear()
        self._busy.clear()
        self._position.clear()
