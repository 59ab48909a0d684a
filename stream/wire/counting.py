"""Numbers of things, as people write them."""

from __future__ import annotations


def many(count: int, one: str, more: str = "") -> str:
    """``1 event``, ``2,000 events``. ``more``: the plural, if it is not ``one`` with an s."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"
