"""The tickets of a partition that people work through, by list: kept up to date, so that nobody searches the table."""

from __future__ import annotations

from typing import Final

from stream.sla.ticket.listing import NAMES


class TicketLists:
    """Each list has the record keys of its tickets, in the order in which they came to it; after a take-over in any order.

    A listed ticket takes about 100 bytes, and most tickets are in no list.
    """

    def __init__(self) -> None:
        self._lists: Final[dict[int, dict[bytes, None]]] = {number: {} for number in NAMES}

    def put(self, key: bytes, lists: int) -> None:
        """The ticket is in these lists (``stream.sla.ticket.listing``) and in no other; 0: in none, or forgotten."""
        for number, keys in self._lists.items():
            if lists & number:
                keys[key] = None
            elif key in keys:
                del keys[key]

    def of(self, name: str) -> list[bytes]:
        """The tickets of a list, the longest in it first. KeyError if there is no such list."""
        return list(self._lists[_NUMBERS[name]])


_NUMBERS: Final = {name: number for number, name in NAMES.items()}
