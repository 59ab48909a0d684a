"""One pass over a resource: its documents from the cursor to the end, mapped, written, and the cursor moved.

The sequence, for each page. A crash between two steps repeats events, and never skips one.

1. The API gives a page.
2. The mapping reads its documents. One that it does not cover is reported and becomes a dead letter, and does not stop the
   others.
3. The events are written, and the documents that are not mapped as dead letters. This waits until all of them are safe.
4. Only then does the cursor move to where the page ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import orjson

from stream.feeds.reading import MappedEvent, read
from stream.feeds.rejected_payload import RejectedPayload, shortened
from stream.pull.api import Cursor
from stream.pull.errors import RefusedError
from stream.pull.outcome import Counts
from stream.pull.recent import Recent

if TYPE_CHECKING:
    from stream.feeds.mapping import FeedMapping
    from stream.feeds.reading import Unmapped
    from stream.pull.api import Document, Page, Resource
    from stream.pull.output import Output

_SAME_PAGES = 3
"""So many pages in a row without a document that this pass has not seen are an API that goes round in circles."""


class Report(Protocol):
    """Takes what the mapping does not cover."""

    def __call__(self, resource: str, document: Document, unmapped: Unmapped) -> None: ...


class SaveCursor(Protocol):
    """Keeps how far a resource has been read. ``complete_to``: at the end of a pass, the instant up to which it is complete."""

    async def __call__(self, resource: str, cursor: Cursor, complete_to: int | None) -> None: ...


PageDone = Callable[[int, int], None]
"""Called after each page with the number of its documents and of the events that were written."""


def unnoticed(documents: int, events: int) -> None:
    """A ``PageDone`` that does nothing."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A named source of ticket events: how its documents are read, and where their events go."""

    name: str
    mapping: FeedMapping
    output: Output
    report: Report
    recent: Recent = field(default_factory=Recent)
    clock: Callable[[], int] = lambda: time.time_ns() // 1_000
    """Epoch microseconds."""
    page_done: PageDone = unnoticed


async def pull(feed: Feed, resource: Resource, since: int, cursor: Cursor | None, save: SaveCursor) -> Counts:
    """One pass from ``since`` (epoch microseconds). ``cursor``: how far the resource had been read before.

    Raises ``stream.pull.client.ApiError``, and as the output and ``save`` do. What was saved stays.
    """
    counts, began = Counts(), feed.clock()
    newest, seen, stale = cursor, set[Cursor](), 0
    async for page in resource.pages(since):
        stale = 0 if _progress(page, seen) else stale + 1
        if stale >= _SAME_PAGES:
            raise RefusedError(f"{resource.name}: the API gives the same documents again and again, after {len(seen)} of them")
        events, dead_letters = _mapped(feed, resource.name, page, counts)
        if events or dead_letters:
            await feed.output.write(list(events.values()), list(dead_letters.values()))
            feed.recent.add([*events, *dead_letters])
        counts.events += len(events)
        feed.page_done(len(page.documents), len(events))
        for document in page.documents:
            newest = document.cursor if newest is None else max(newest, document.cursor)
        if page.up_to is not None and (cursor is None or page.up_to > cursor):
            cursor = page.up_to
            await save(resource.name, cursor, None)
    # The helpdesk may be in the middle of writing what happened within the look-back.
    complete_to = began - resource.look_back
    await save(resource.name, newest or Cursor(since, ""), complete_to)
    return counts


def _progress(page: Page, seen: set[Cursor]) -> bool:
    before = len(seen)
    seen.update(document.cursor for document in page.documents)
    return len(seen) > before


def _mapped(
    feed: Feed, resource: str, page: Page, counts: Counts
) -> tuple[dict[bytes, MappedEvent], dict[bytes, RejectedPayload]]:
    """The events and the dead letters of a page that were not written lately, by their bytes."""
    events, dead_letters = dict[bytes, MappedEvent](), dict[bytes, RejectedPayload]()
    for document in page.documents:
        counts.documents += 1
        now = feed.clock()
        reading = read(feed.mapping, document.payload, {}, now)
        events |= {event.value: event for event in reading.events if not feed.recent.knows(event.value)}
        if reading.unmapped is not None:
            counts.unmapped += 1
            body = _body(document)
            if not feed.recent.knows(body):
                feed.report(resource, document, reading.unmapped)
                dead_letters[body] = _dead_letter(feed.name, body, reading.unmapped, now)
    return events, dead_letters


def _body(document: Document) -> bytes:
    """The part of a document that a dead letter keeps."""
    try:
        return orjson.dumps(document.payload, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # nested more deeply than it writes, but not than it reads
        return orjson.dumps({"id": document.id, "updated_at": document.updated_at, "left_out": "nested too deeply"})


def _dead_letter(feed: str, body: bytes, why: Unmapped, now: int) -> RejectedPayload:
    reason, path = shortened(why.reason), shortened(why.path)
    return RejectedPayload(feed=feed, reason="unmapped", message=reason, line=why.line, path=path, received=now, body=body)
