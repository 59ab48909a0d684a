"""Reads dead letters, and the records that they are about."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from stream.cli.dead_letters import DeadLetterPlace, dead_letter_of
from stream.cli.rejected_view import body_line
from stream.cli.topics import client_of
from stream.runtime.kafka.topic_reader import MissingTopicError, open_topics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stream.cli.dead_letters import FoundDeadLetter
    from stream.runtime.kafka.topic_reader import TopicReader
    from stream.runtime.kafka.topics import Topics


class DeadLetterTopic:
    """The topic of dead letters, and the topic whose records they are about."""

    def __init__(self, broker: str, names: Topics, reader: TopicReader) -> None:
        self.reader: Final = reader
        self._broker: Final = broker
        self._names: Final = names

    async def at(self, where: DeadLetterPlace) -> FoundDeadLetter:
        """Raises click.ClickException."""
        record = await self.reader.one(self._names.rejected, where.partition, where.offset)
        dead_letter = None if record is None else dead_letter_of(record)
        if dead_letter is None:
            raise click.ClickException(f"{where}: there is no dead letter at this place of {self._names.rejected}")
        return dead_letter

    async def each(self, wheres: tuple[DeadLetterPlace, ...]) -> AsyncIterator[FoundDeadLetter]:
        for where in wheres:
            yield await self.at(where)

    async def record(self, dead_letter: FoundDeadLetter) -> Any | None:
        """The rejected record; ``None`` if it is gone, or there is another in its place."""
        source = dead_letter.content
        if source.value is None:  # perhaps of a batch that is too large to be read
            return None
        try:
            async with open_topics(self._broker, client_of(self._broker), [source.topic]) as reader:
                record = await reader.one(source.topic, source.partition, source.offset)
        except MissingTopicError:
            return None
        return record if record is not None and (record.value or b"").startswith(source.value) else None

    async def print_line(self, dead_letter: FoundDeadLetter) -> None:
        record = await self.record(dead_letter) if dead_letter.may_be_cut else None
        value = dead_letter.content.value if record is None else record.value
        try:
            click.echo(body_line(value or b""))
        except msgspec.DecodeError as error:
            click.echo(f"{dead_letter.place}: its body is not JSON, and is left out: {error}", err=True)


@asynccontextmanager
async def open_dead_letters(broker: str, names: Topics) -> AsyncIterator[DeadLetterTopic]:
    async with open_topics(broker, client_of(broker), [names.rejected]) as reader:
        yield DeadLetterTopic(broker, names, reader)
