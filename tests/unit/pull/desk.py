"""A desk without a network: a resource of documents in memory, a mapping that reads them, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from stream.feeds.mapping import FeedMapping, load
from stream.pull.api import Cursor, Document, Page, payload
from stream.pull.passes import Feed
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from stream.feeds.reading import MappedEvent, Unmapped
    from stream.feeds.rejected_payload import RejectedPayload

SECOND: Final = 1_000_000
START: Final = 1_772_445_600 * SECOND
"""2026-03-02T10:00:00Z."""

MAPPING: Final = """
source: desk
delivery: pull
common: {ticket: "{document.ticket}", at: "{document.at}", id: "note-{document.id}"}
events:
  - {when: document.public == null, refuse: a note states whether it is public}
  - {when: document, say: {type: comment.added, public: "{document.public}"}}
"""


def mapping(folder: Path) -> FeedMapping:
    file = folder / "desk.yaml"
    file.write_text(MAPPING, "utf-8")
    return load(str(file))


def note(number: int, seconds: int, public: bool | None = True) -> Document:
    """A note so many seconds after ``START``, on a ticket of its own."""
    at = START + seconds * SECOND
    body = {"id": number, "ticket": number, "at": format_instant(at), "public": public}
    return Document(str(number), at, payload("notes", body))


class Notes:
    """A resource of pages that a test gives. A page that is an error is raised in its place."""

    name = "notes"
    look_back = 30 * SECOND

    def __init__(self, *pages: Sequence[Document] | Exception, ordered: bool = True) -> None:
        self.given = list(pages)
        self.asked: list[int] = []
        self._ordered = ordered

    async def pages(self, since: int) -> AsyncIterator[Page]:
        self.asked.append(since)
        for page in self.given:
            if isinstance(page, Exception):
                raise page
            yield Page(page, up_to=max(document.cursor for document in page) if self._ordered else None)


@dataclass
class Written:
    """An output that remembers. ``fail`` is raised once, after the events were taken."""

    events: list[MappedEvent] = field(default_factory=list)
    fail: Exception | None = None

    dead_letters: list[RejectedPayload] = field(default_factory=list)

    async def write(self, events: Sequence[MappedEvent], dead_letters: Sequence[RejectedPayload]) -> None:
        self.events += events
        self.dead_letters += dead_letters
        if self.fail is not None:
            error, self.fail = self.fail, None
            raise error

    async def finish(self) -> None:
        """Nothing is kept back."""

    @property
    def ids(self) -> list[str]:
        return [msgspec.json.decode(event.value)["id"] for event in self.events]


@dataclass
class Saved:
    """What was kept of a cursor, in order, with the number of events that were written by then."""

    output: Written
    calls: list[tuple[str, Cursor, int | None, int]] = field(default_factory=list)

    async def __call__(self, resource: str, cursor: Cursor, complete_to: int | None) -> None:
        self.calls.append((resource, cursor, complete_to, len(self.output.events)))

    @property
    def cursors(self) -> list[Cursor]:
        return [cursor for _, cursor, _, _ in self.calls]


def feed(folder: Path, output: Any, reported: list[tuple[str, str, str]] | None = None, clock: int = START) -> Feed:
    def report(resource: str, document: Document, unmapped: Unmapped) -> None:
        if reported is not None:
            reported.append((resource, document.id, unmapped.reason))

    return Feed("desk", mapping(folder), output, report, clock=lambda: clock)
