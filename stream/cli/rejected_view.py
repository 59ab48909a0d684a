"""Formats dead letters for people, with the advice for each reason."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from stream.wire.decode import RejectReason
from stream.wire.instants import format_instant
from stream.wire.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.cli.dead_letters import DeadLetterPlace, FoundDeadLetter
    from stream.cli.watch_view import LocalTime

ADVICE: Final = {
    RejectReason.TOO_LARGE: "Leave out what policies do not need: comments' texts and attachments never belong to an event. "
    "If it is a batch (no value), publish its records in batches of less than 16 MiB before compression.",
    RejectReason.UNDECODABLE: "The publisher must write one JSON object in UTF-8 as the value of the record. Correct the "
    "publisher, and republish the event from a file.",
    RejectReason.INVALID: "The path names the place. Correct the value as the message asks, and republish the event from a "
    "file; correct the publisher too, or the next event fails as well.",
    RejectReason.KEY_MISMATCH: "The record key must be the ticket, byte for byte. Correct the publisher. `republish` sends the "
    "event under its ticket, so it needs no correction here.",
    RejectReason.FUTURE: "The clock of the source is ahead, or its time zone is wrong. If the time is right by now, republish "
    "the event unchanged; otherwise correct `at`. If the source is known to be ahead, raise the setting max_ahead.",
    RejectReason.TOO_LATE: "The event is older than the history that is kept of its ticket. After the setting history has been "
    "raised it is accepted for tickets that still have their history; a ticket that was imported anew has it.",
    RejectReason.CONFLICT: "Another event of this ticket has its source, id and seq, and states something else. Give this "
    "event an id or a seq of its own, and republish it from a file. If it is a wrong repetition, leave it.",
}
"""Advice by reason."""


class Summary:
    """Counts dead letters by reason, and keeps the newest."""

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._counts: Final[Counter[RejectReason]] = Counter()
        self._newest_at: Final[dict[RejectReason, int]] = {}
        self._newest: Final[list[tuple[int, DeadLetterPlace, FoundDeadLetter]]] = []
        """A heap of the newest, without their values."""

    def add(self, dead_letter: FoundDeadLetter) -> None:
        reason, at = dead_letter.content.rejected.reason, dead_letter.content.at
        self._counts[reason] += 1
        self._newest_at[reason] = max(at, self._newest_at.get(reason, at))
        if self._most:
            # Without its value: a thousand of them may have a gigabyte.
            entry = (at, dead_letter.place, replace(dead_letter, content=dead_letter.content._replace(value=None)))
            (heapq.heappush if len(self._newest) < self._most else heapq.heappushpop)(self._newest, entry)

    def lines(self, clock: LocalTime) -> Iterator[str]:
        if not self._counts:
            yield "no dead letters"
            return
        yield f"{'reason':13} {'count':>7}  newest"
        for reason, count in self._counts.most_common():
            yield f"{reason:13} {count:7}  {clock(self._newest_at[reason])}"
        if not self._newest:
            return
        yield ""
        total = self._counts.total()
        yield f"the newest {len(self._newest)} of {total}:" if len(self._newest) < total else "all, the newest first:"
        rows = [_HEADING, *(_row(dead_letter, clock) for _, _, dead_letter in sorted(self._newest, reverse=True))]
        *columns, _ = zip(*rows, strict=True)
        widths = [max(len(cell) for cell in column if len(cell) <= _WIDEST) for column in columns]
        for *cells, message in rows:
            yield "  ".join([*(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)), message])


_HEADING: Final = ("place", "rejected at", "reason", "ticket", "type", "id", "source", "message")
_WIDEST: Final = 40
"""Characters of a column. A longer cell moves what follows on its line, and not on the others."""


def _row(dead_letter: FoundDeadLetter, clock: LocalTime) -> tuple[str, ...]:
    """The cells of a dead letter; - where its body does not name the thing."""
    rejected = dead_letter.content.rejected
    path = f" at {rejected.path}" if rejected.path else ""
    named = (dead_letter.ticket, dead_letter.type, dead_letter.event, dead_letter.source)
    about = (printable(name) or "-" for name in named)
    place = (str(dead_letter.place), clock(dead_letter.content.at), str(rejected.reason))
    return (*place, *about, printable(f"{rejected.message}{path}"))


def whole(
    dead_letter: FoundDeadLetter, value: bytes | None, headers: list[tuple[str, bytes]] | None, clock: LocalTime
) -> Iterator[str]:
    """Everything that is known of one dead letter, and what to do.

    ``value``: the whole value if it is known. ``headers``: those of the rejected record; ``None``: the record is gone.
    """
    source = dead_letter.content
    yield f"dead letter  {dead_letter.place}"
    yield f"rejected     {clock(source.at)}"
    yield f"reason       {source.rejected.reason}"
    yield f"message      {printable(source.rejected.message)}"
    if source.rejected.path:
        yield f"path         {printable(source.rejected.path)}"
    yield f"record       {source.topic}[{source.partition}]@{source.offset}" + (
        "" if headers is not None else ", which is not on the topic any more"
    )
    yield f"key          {_text(source.key)}"
    for name, content in headers or ():
        yield f"header       {printable(name)}: {_text(content)}"
    yield ""
    yield from _body(value)
    yield ""
    yield f"what to do   {ADVICE[source.rejected.reason]}"


def as_json(dead_letter: FoundDeadLetter) -> bytes:
    """A line of JSON: the dead letter and its place."""
    source = dead_letter.content
    return msgspec.json.encode(
        {
            "place": str(dead_letter.place),
            "reason": source.rejected.reason,
            "message": source.rejected.message,
            "path": source.rejected.path,
            "at": format_instant(source.at),
            "ticket": dead_letter.ticket,
            "source": dead_letter.source,
            "id": dead_letter.event,
            "type": dead_letter.type,
            "topic": source.topic,
            "partition": source.partition,
            "offset": source.offset,
        }
    )


def body_line(value: bytes) -> bytes:
    """A body as one line: JSON without the line breaks that somebody has written into it. Raises msgspec.DecodeError."""
    formatted = msgspec.json.format(value, indent=-1)
    return formatted if b"\n" in value or b"\r" in value else value


def _body(value: bytes | None) -> Iterator[str]:
    if value is None:
        yield "the record has no value"
        return
    try:
        text = msgspec.json.format(value, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = value.decode("utf-8", "backslashreplace")
    for line in text.split("\n"):
        yield printable(line)


def _text(value: bytes | None) -> str:
    return "none" if value is None else printable(value.decode("utf-8", "backslashreplace"))
