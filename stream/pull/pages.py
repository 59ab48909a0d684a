"""Reads a list that an API orders by the time of its last change, and that can only be requested from a time on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from stream.pull.api import Cursor, Page
from stream.pull.client import instant_of
from stream.pull.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from stream.pull.api import Document

T = TypeVar("T")
_MOST_KNOWN: Final = 4
"""Pages in a row without anything new. One is usual, where a question begins at the time at which the last one ended."""


async def by_time(
    since: int, size: int, request: Callable[[int, int], Awaitable[Sequence[T]]], cursor: Callable[[T], Cursor]
) -> AsyncIterator[list[T]]:
    """All items that were changed at ``since`` or later, each once for each of its changes.

    ``request(since, page)`` gives at most ``size`` items in the order of their changes, from page 1 on.

    Pages by number alone skip an item: when one on page 1 changes, it moves to the end, and the first of page 2 moves to page
    1. Times alone loop for ever where more items than a page have the same time. So:

    1. The next question begins at the time of the newest item, at page 1 again, and known items are left out.
    2. Where a whole page has one time, the next page of that question is asked.

    Each question begins later than the one before, or is a later page of the same, so there is no loop. An API that gives the
    same page whatever it is asked is refused, with RefusedError, once several later pages had nothing new.
    """
    page, seen, known = 1, set[Cursor](), 0
    while True:
        found = await request(since, page)
        fresh = [item for item in found if cursor(item) not in seen]
        if fresh:
            yield fresh
        known = 0 if fresh else known + 1
        if len(found) < size:
            return
        if known > _MOST_KNOWN:
            raise RefusedError(f"the API gives the same page again: the last {known} pages had nothing new")
        newest = max(cursor(item).updated_at for item in found)
        if newest > since:
            since, page = newest, 1
            seen = {each for each in seen if each.updated_at >= newest}
        else:
            page += 1
        seen |= {cursor(item) for item in found}


async def document_pages(
    changes: AsyncIterator[list[T]], cursor: Callable[[T], Cursor], documents: Callable[[T], Awaitable[list[Document]]]
) -> AsyncIterator[Page]:
    """A page for each list of changed items. The documents of the items of a list are requested at the same time."""
    async for changed in changes:
        found = await asyncio.gather(*map(documents, changed))
        yield Page([document for of_one in found for document in of_one], up_to=cursor(changed[-1]))


def updated_at(record: Mapping[str, Any]) -> Cursor:
    """The cursor of a record whose keys are ``updated_at`` and ``id``."""
    return Cursor(instant_of(record["updated_at"]), str(record["id"]))
