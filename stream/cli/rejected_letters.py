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


class LetterPlace(NamedTuple):
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
class Letter:
    """A dead letter and what its body names: empty if it does not, or not as text."""

    place: LetterPlace
    letter: DeadLetter
    ticket: str
    source: str
    event: str
    """The id of the event."""
    type: str

    @property
    def may_be_cut(self) -> bool:
        """Whether the dead letter may have only the beginning of the value."""
        return len(self.letter.value or b"") == MAX_KEPT


def letter_of(record: Any) -> Letter | None:
    """A record of the topic; ``None`` if it is not a dead letter."""
    try:
        letter = decode_rejected(record.value or b"")
    except ValueError:
        return None
    value = letter.value or b""
    try:
        named = _named(value)
    except (ValueError, RecursionError):  # not JSON, or not UTF-8
        named = _Named()
    ticket = key_of(value) or letter.key or b""
    place = LetterPlace(record.partition, record.offset)
    return Letter(place, letter, ticket.decode("utf-8", "replace"), named.source, named.id, named.type)


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Selects dead letters by every part that is not empty."""

    reasons: frozenset[RejectReason]
    tickets: frozenset[str]
    sources: frozenset[str]
    since: Since
    until: int | None

    @property
    def selects_all(self) -> bool:
        return not (self.reasons or self.tickets or self.sources) and self.since is Place.BEGIN and self.until is None

    def passes(self, letter: Letter) -> bool:
        at = letter.letter.at
        return (
            (not self.reasons or letter.letter.rejected.reason in self.reasons)
            and (not self.tickets or letter.ticket in self.tickets)
            and (not self.sources or letter.source in self.sources)
            and (isinstance(self.since, Place) or at >= self.since)
            and (self.until is None or at < self.until)
        )


async def selected(reader: TopicReader, wanted: LetterFilter) -> AsyncIterator[Letter]:
    """Yield the dead letters that are there now and pass the filter, in the order of each partition."""
    begin = wanted.since if isinstance(wanted.since, Place) else max(0, wanted.since - _MOVED)
    await reader.seek(begin)
    async for records in reader.to_end():
        for record in records:
            letter = letter_of(record)
            if letter is None:
                where = f"{record.topic}[{record.partition}]@{record.offset}"
                click.echo(f"{where}: not a dead letter that this breachwatch can read", err=True)
            elif wanted.passes(letter):
                yield letter


def place(_context: click.Context, _argument: click.Parameter, text: str) -> LetterPlace:
    """Convert ``3:81442``, as a click callback. Raises click.BadParameter."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!r} is not the place of a dead letter: use partition:offset, as in the list")
    return LetterPlace(int(match[1]), int(match[2]))


def places(context: click.Context, argument: click.Parameter, texts: tuple[str, ...]) -> tuple[LetterPlace, ...]:
    """Several of them."""
    return tuple(place(context, argument, text) for text in texts)
