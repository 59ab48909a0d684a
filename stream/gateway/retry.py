"""Sends the dead letters of a feed again, through its present mapping.

1. The topic is read once for the retries that it records, so that what was sent again is known.
2. It is read again for the dead letters of the feed. Each that was not sent yet is read by the present mapping.
3. Its events are written, and once Kafka has acknowledged them, a retry is recorded on the same topic.

A second run therefore sends nothing again and shows what was sent before. If a run ends between the events and their record,
the next one sends these events again, which changes nothing, because their ids are known.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from stream.feeds.rejected_payload import RejectedPayload, Retry, decode_record, encode_record
from stream.gateway.outbox import Outgoing
from stream.gateway.payload import read_payload, records_of
from stream.runtime.kafka.topic_reader import Place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from stream.feeds.mapping import FeedMapping
    from stream.gateway.outbox import Outbox
    from stream.runtime.kafka.topic_reader import TopicReader
    from stream.runtime.kafka.topics import Topics


class Result(StrEnum):
    """The outcome of a dead letter."""

    SENT = "sent again"
    SENDABLE = "would be sent again"
    SKIPPED = "has no event by the present mapping"
    BEFORE = "was sent again before"
    UNMAPPED = "is still unmapped"
    NOT_ACKNOWLEDGED = "was not acknowledged by Kafka"


class Wanted(NamedTuple):
    """The selection of dead letters to send again, and the way to send them."""

    feed: str
    first: int = 0
    """The first offset."""
    last: int | None = None
    """The last offset; ``None``: no bound."""
    since: int = 0
    """Those that arrived from this instant on, epoch microseconds."""
    until: int | None = None
    """Those that arrived before; ``None``: no bound."""
    again: bool = False
    """Whether also those that were sent again before."""
    dry_run: bool = False


class Done(NamedTuple):
    """The outcome of one dead letter."""

    offset: int
    received: int
    result: Result
    detail: str
    """The tickets of its events, or the reason."""
    events: int = 0


class Retrier:
    """Sends dead letters again."""

    def __init__(
        self,
        reader: TopicReader,
        outbox: Outbox | None,
        topics: Topics,
        mapping: FeedMapping | None,
        clock: Callable[[], int],
    ) -> None:
        """``reader`` reads the topic of dead letters. ``outbox`` is needed unless it is a dry run. ``clock``: epoch
        microseconds."""
        self._reader: Final = reader
        self._outbox: Final = outbox
        self._topics: Final = topics
        self._mapping: Final = mapping
        self._clock: Final = clock

    async def run(self, wanted: Wanted) -> AsyncIterator[Done]:
        """Yield what became of each dead letter, in the order of their offsets. Ends at one that Kafka does not acknowledge.

        Raises ``aiokafka.errors.KafkaError``.
        """
        before = {offset async for offset in self._sent_before(wanted.feed)}
        async for record, dead_letter in self._dead_letters(wanted):
            if record.offset in before and not wanted.again:
                yield Done(record.offset, dead_letter.received, Result.BEFORE, "")
                continue
            done = await self._retry(record.offset, dead_letter, wanted)
            yield done
            if done.result is Result.NOT_ACKNOWLEDGED:
                return

    async def _retry(self, offset: int, dead_letter: RejectedPayload, wanted: Wanted) -> Done:
        reading, _ = read_payload(self._mapping, dead_letter.body, dead_letter.headers, dead_letter.received)
        if reading.unmapped is not None:
            return Done(offset, dead_letter.received, Result.UNMAPPED, str(reading.unmapped))
        tickets = ", ".join(dict.fromkeys(event.ticket or "every partition" for event in reading.events))
        count = len(reading.events)
        if not reading.events:
            return Done(offset, dead_letter.received, Result.SKIPPED, reading.skipped or "")
        if wanted.dry_run or self._outbox is None:
            return Done(offset, dead_letter.received, Result.SENDABLE, tickets, count)
        retry = Outgoing(
            self._topics.feed_rejected,
            dead_letter.feed.encode(),
            encode_record(Retry(feed=dead_letter.feed, offsets=[offset], at=self._clock())),
        )
        for records in (records_of(reading, self._topics.events), [retry]):
            if not await self._outbox.deliver(records):
                return Done(offset, dead_letter.received, Result.NOT_ACKNOWLEDGED, tickets, count)
        return Done(offset, dead_letter.received, Result.SENT, tickets, count)

    async def _sent_before(self, feed: str) -> AsyncIterator[int]:
        async for _, record in self._records():
            if isinstance(record, Retry) and record.feed == feed:
                for offset in record.offsets:
                    yield offset

    async def _dead_letters(self, wanted: Wanted) -> AsyncIterator[tuple[Any, RejectedPayload]]:
        async for place, dead_letter in self._records():
            if not isinstance(dead_letter, RejectedPayload) or dead_letter.feed != wanted.feed:
                continue
            within = wanted.since <= dead_letter.received and (wanted.until is None or dead_letter.received < wanted.until)
            if within and wanted.first <= place.offset and (wanted.last is None or place.offset <= wanted.last):
                yield place, dead_letter

    async def _records(self) -> AsyncIterator[tuple[Any, RejectedPayload | Retry]]:
        """All records up to the present end. Those that are neither a dead letter nor a retry are not ours."""
        await self._reader.seek(Place.BEGIN)
        async for batch in self._reader.to_end():
            for record in batch:
                try:
                    yield record, decode_record(record.value or b"")
                except msgspec.DecodeError:
                    continue
