"""Dead letters as the commands of ``breachwatch rejected`` select them: each with its place, its ticket and its source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click
import msgspec

from stream.runtime.kafka.topic_reader import Place
from stream.wire.effect import MAX_KEPT, DeadLetter, decode_rejected
from stream.wire.lines import key_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from stream.runtime.kafka.topic_reader import Since, TopicReader
    from stream.wire.decode import RejectReason

    Command = Callable[..., Any]

_PLACE: Final = re.compile(r"(\d{1,9}):(\d{1,18})")
_MOVED: Final = 60_000_000
"""The most by which the clocks of worker and broker may differ, when the broker finds the first offset to read by a time."""


class DeadLetterPlace(NamedTuple):
    """The place of a dead letter on its topic. As text: ``3:81442``."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class _Named(msgspec.Struct):
    """The keys of a body that identify an event, if their types are right."""

    source: str = ""
    id: str = ""
    type: str = ""


_named: Final = msgspec.json.Decoder(_Named).decode


@dataclass(frozen=True, slots=True)
class FoundDeadLetter:
    """A dead letter and what its body names: empty if it does not, or not as text."""

    place: DeadLetterPlace
    content: DeadLetter
    ticket: str
    source: str
    event: str
    """The id of the event."""
    type: str

    @property
    def may_be_cut(self) -> bool:
        """Whether the dead letter may have only the beginning of the value."""
        return len(self.content.value or b"") == MAX_KEPT


def dead_letter_of(record: Any) -> FoundDeadLetter | None:
    """A record of the topic; ``None`` if it is not a dead letter."""
    try:
        dead_letter = decode_rejected(record.value or b"")
    except ValueError:
        return None
    value = dead_letter.value or b""
    try:
        named = _named(value)
    except (ValueError, RecursionError):  # not JSON, or not UTF-8
        named = _Named()
    ticket = key_of(value) or dead_letter.key or b""
    place = DeadLetterPlace(record.partition, record.offset)
    return FoundDeadLetter(place, dead_letter, ticket.decode("utf-8", "replace"), named.source, named.id, named.type)


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Selects dead letters by every part that is not empty."""

    reasons: frozenset[RejectReason]
    tickets: frozenset[str]
    sources: frozenset[str]
    since: Since
    until: int | None

    @property
    def selects_all(self) -> bool:
        return not (self.reasons or self.tickets or self.sources) and self.since is Place.BEGIN and self.until is None

    def passes(self, dead_letter: FoundDeadLetter) -> bool:
        at = dead_letter.content.at
        return (
            (not self.reasons or dead_letter.content.rejected.reason in self.reasons)
            and (not self.tickets or dead_letter.ticket in self.tickets)
            and (not self.sources or dead_letter.source in self.sources)
            and (isinstance(self.since, Place) or at >= self.since)
            and (self.until is None or at < self.until)
        )


async def selected(reader: TopicReader, wanted: DeadLetterFilter) -> AsyncIterator[FoundDeadLetter]:
    """Yield the dead letters that are there now and pass the filter, in the order of each partition."""
    begin = wanted.since if isinstance(wanted.since, Place) else max(0, wanted.since - _MOVED)
    await reader.seek(begin)
    async for records in reader.to_end():
        for record in records:
            dead_letter = dead_letter_of(record)
            if dead_letter is None:
                where = f"{record.topic}[{record.partition}]@{record.offset}"
                click.echo(f"{where}: not a dead letter that this breachwatch can read", err=True)
            elif wanted.passes(dead_letter):
                yield dead_letter


def place(_context: click.Context, _argument: click.Parameter, text: str) -> DeadLetterPlace:
    """Convert ``3:81442``, as a click callback. Raises click.BadParameter."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!r} is not the place of a dead letter: use partition:offset, as in the list")
    return DeadLetterPlace(int(match[1]), int(match[2]))


def places(context: click.Context, argument: click.Parameter, texts: tuple[str, ...]) -> tuple[DeadLetterPlace, ...]:
    """Several of them."""
    return tuple(place(context, argument, text) for text in texts)
