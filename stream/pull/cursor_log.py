"""The topic ``feed-state``: how far each resource of each feed has been read. Compacted, one partition.

Only one puller of a feed runs at a time. The producer is transactional under an id of the feed, so the newest puller excludes
those before it: their next write fails, and they stop (``TakenOverError``). What two of them publish in between are the same
events under the same ids, which changes nothing. The newest wins, and not the first, so that a puller that hangs, or whose
machine is gone, keeps nobody out.

To start:

1. The producer starts, which ends what another has begun and excludes it.
2. The topic is read to its end: nobody else can write about this feed any more.
3. A puller that starts again after Kafka was away and finds records of another has been replaced meanwhile: it stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, ProducerFenced
from aiokafka.structs import TopicPartition

from stream.pull.api import Cursor
from stream.runtime.kafka.denied import Operation, ResourceKind, needing
from stream.runtime.kafka.groupless import records_between, started
from stream.wire.forms import check_form
from stream.wire.instants import format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.runtime.kafka.topics import Topics

FORM: Final = 1
"""Of a record: ``stream.wire.forms``."""


class TakenOverError(Exception):
    """Another puller of this feed has started."""


class FeedPosition(msgspec.Struct, frozen=True):
    """The value of a record; its key is ``feed/resource``."""

    feed: str
    resource: str
    updated_at: str
    """Of the newest document, by the clock of the helpdesk."""
    id: str
    """Of the same document."""
    complete_to: str | None
    """Up to here the resource has been read to its end; null before the first end."""
    puller: str
    """The id of the process that wrote it; a process gets a new one at each start."""

    @property
    def cursor(self) -> Cursor:
        return Cursor(parse_instant(self.updated_at), self.id)


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(FeedPosition).decode


class CursorLog:
    """The records of one feed on that topic. Every method raises ``aiokafka.errors.KafkaError`` while the broker is away."""

    def __init__(self, client: Mapping[str, Any], topics: Topics, feed: str) -> None:
        """``client``: arguments of an aiokafka client (``stream.runtime.kafka.connection``)."""
        self._client: Final = dict(client)
        self._topic: Final = topics.feed_state
        self._feed: Final = feed
        self._id: Final = topics.pull_id(feed)
        self._puller: Final = uuid4().hex
        self._started = False
        self._producer: Any = None
        self.positions: Final = dict[str, FeedPosition]()
        """By resource."""

    async def start(self) -> None:
        """Exclude other pullers of this feed and read its positions. May be called again after a KafkaError.

        Raises TakenOverError at a second call if another puller has started since the first, and NewerReleaseError if a newer
        release has written a position.
        """
        await self.stop()
        producer = AIOKafkaProducer(
            **self._client, client_id="breachwatch-pull", transactional_id=self._id, transaction_timeout_ms=10_000
        )
        try:
            with needing(Operation.WRITE, ResourceKind.TRANSACTIONAL_ID, self._id):
                await producer.start()
            await self._read()
        except BaseException:
            await producer.stop()
            raise
        others = {position.puller for position in self.positions.values()} - {self._puller}
        if self._started and others:
            await producer.stop()
            raise TakenOverError(self._taken_over())
        self._started, self._producer = True, producer

    async def stop(self) -> None:
        """Close the connections. Nothing is pending."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def save(self, resource: str, cursor: Cursor, complete_to: int | None) -> None:
        """Return when Kafka has it. Raises TakenOverError."""
        known = self.positions.get(resource)
        complete = format_instant(complete_to) if complete_to is not None else known.complete_to if known else None
        position = FeedPosition(self._feed, resource, format_instant(cursor.updated_at), cursor.id, complete, self._puller)
        key = f"{self._feed}/{resource}".encode()
        try:
            with needing(Operation.WRITE, ResourceKind.TOPIC, self._topic):
                async with self._producer.transaction():
                    delivery = await self._producer.send(self._topic, _encode(position), key=key, partition=0)
                    # What it raises, the end of the transaction raises as well.
                    delivery.add_done_callback(lambda done: done.cancelled() or done.exception())
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise TakenOverError(self._taken_over()) from error
        self.positions[resource] = position

    async def _read(self) -> None:
        partition = TopicPartition(self._topic, 0)
        consumer = AIOKafkaConsumer(
            **self._client,
            client_id="breachwatch-pull",
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
        async with started(consumer):
            (begin,) = (await consumer.beginning_offsets([partition])).values()
            (end,) = (await consumer.end_offsets([partition])).values()
            async for record in records_between(consumer, {partition: (begin, end)}):
                feed, _, resource = (record.key or b"").decode("utf-8", "replace").partition("/")
                if feed == self._feed:
                    self._take(resource, record.value)

    def _take(self, resource: str, value: bytes | None) -> None:
        """A tombstone, which an operator writes, forgets the position of a resource."""
        if value is None:
            self.positions.pop(resource, None)
        else:
            check_form(value, FORM, f"the position of {resource} in {self._topic}")
            self.positions[resource] = _decode(value)

    def _taken_over(self) -> str:
        return f"another puller of the feed {self._feed} has started, and the newest one goes on: run only one of them"
