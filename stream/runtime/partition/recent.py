"""The tickets that were changed last, as the engine has them: most events are about one of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stream.sla.ticket.state import State

MOST: Final = 1_000
"""Tickets of a generation, some ten kilobytes each."""


class Recent:
    """Remembers states by record key, the newer half and the older half; a full newer half becomes the older one.

    Two plain dicts, because an ordered one costs a step for each ticket that leaves.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most: Final = most
        self._newer: dict[bytes, State] = {}
        self._older: dict[bytes, State] = {}

    def get(self, key: bytes) -> State | None:
        """``None``: not remembered; the table may have it."""
        return self._newer.get(key) or self._older.get(key)

    def put(self, key: bytes, state: State) -> None:
        """This is how the ticket stands in the table now."""
        if len(self._newer) >= self._most:
            self._older, self._newer = self._newer, {}
        self._newer[key] = state

    def drop(self, key: bytes) -> None:
        """The ticket is not in the table any more."""
        self._newer.pop(key, None)
        self._older.pop(key, None)
