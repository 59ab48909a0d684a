"""Reads a list that an API orders by the time of its last change, and that can only be asked from a time on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from stream.pull.api import Cursor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence


T = TypeVar("T")


async def by_time(
    since: int, size: int, ask: Callable[[int, int], Awaitable[Sequence[T]]], cursor: Callable[[T], Cursor]
) -> AsyncIterator[list[T]]:
    """All items that were changed at ``since`` or later, each once for each of its changes.

    ``ask(since, page)`` gives at most ``size`` items in the order of their changes, from page 1 on.

    Pages by number alone skip an item: when one on page 1 changes, it moves to the end, and the first of page 2 moves to page
    1. Times alone loop for ever where more items than a page have the same time. So:

    1. The next question begins at the time of the newest item, at page 1 again, and known items are left out.
    2. Where a whole page has one time, the next page of that question is asked.

    Each question begins later than the one before, or is a later page of the same, so there is no loop.
    """
    page, seen = 1, set[Cursor]()
    while True:
        found = await ask(since, page)
        fresh = [item for item in found if cursor(item) not in seen]
        if fresh:
            yield fresh
        if len(found) < size:
            return
        newest = max(cursor(item).updated_at for item in found)
        if newest > since:
            since, page = newest, 1
            seen = {each for each in seen if each.updated_at >= newest}
        else:
            page += 1
        seen |= {cursor(item) for item in found}
