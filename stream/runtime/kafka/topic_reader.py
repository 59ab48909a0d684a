"""Reads the committed records of whole topics, for commands that show them. It joins no group and commits nothing.

It begins at a given place, reads to the present end or goes on, and includes partitions that are added meanwhile.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from stream.runtime.kafka.denied import Operation, ResourceKind, needing
from stream.runtime.kafka.groupless import started
from stream.runtime.kafka.topic_admin import admin_client, metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

_WAIT_MS: Final = 200
_FETCH_BYTES: Final = 4 * 1024 * 1024
_METADATA_AGE_MS: Final = 60_000
"""The time after which a new partition is noticed."""


class Place(Enum):
    """A place in every partition that is not an instant."""

    BEGIN = "begin"
    """The oldest record that the topic still has."""
    END = "end"
    """After the newest record."""


Since = Place | int
"""From where to read: a place, or the instant (epoch microseconds) since which records were appended."""


class MissingTopicError(Exception):
    """A topic does not exist. ``topic`` is its name."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"topic {topic} is missing")
        self.topic: Final = topic


class TopicReader:
    """A started consumer of some topics. Every method raises ``aiokafka.errors.KafkaError``."""

    def __init__(self, consumer: Any, partitions: Mapping[str, int]) -> None:
        self._consumer: Final = consumer
        self._partitions: Final = dict(partitions)
        self._next: Final[dict[TopicPartition, int]] = {}
        """The offset of the next record to read."""

    async def seek(self, since: Since) -> None:
        """Go to a place in every partition."""
        tps = [TopicPartition(topic, number) for topic, count in self._partitions.items() for number in range(count)]
        ends = await self._consumer.end_offsets(tps)
        if since is Place.BEGIN:
            found = await self._consumer.beginning_offsets(tps)
        elif since is Place.END:
            found = ends
        else:
            stamped = await self._consumer.offsets_for_times(dict.fromkeys(tps, _milliseconds(since)))
            found = {tp: ends[tp] if stamped.get(tp) is None else stamped[tp].offset for tp in tps}
        self._next.clear()
        self._next.update(found)
        self._assign()

    async def follow(self) -> AsyncIterator[list[Any]]:
        """Yield what was fetched, as batches that may be empty, for ever."""
        while True:
            yield await self._fetch()
            self._take_in_added_partitions()

    async def to_end(self) -> AsyncIterator[list[Any]]:
        """Yield what is between the place sought and the present end, as batches that may be empty."""
        ends = await self._consumer.end_offsets(list(self._next))
        while any([await self._consumer.position(tp) < end for tp, end in ends.items()]):
            batch = await self._fetch()
            yield [record for record in batch if record.offset < ends[TopicPartition(record.topic, record.partition)]]

    async def one(self, topic: str, partition: int, offset: int) -> Any | None:
        """The record at this place; ``None`` if there is none, or none any more."""
        tp = TopicPartition(topic, partition)
        if not 0 <= partition < self._partitions.get(topic, 0):
            return None
        begin = (await self._consumer.beginning_offsets([tp]))[tp]
        end = (await self._consumer.end_offsets([tp]))[tp]
        if not begin <= offset < end:
            return None
        self._next.clear()
        self._next[tp] = offset
        self._assign()
        while await self._consumer.position(tp) <= offset:
            for record in await self._fetch():
                return record if record.offset == offset else None
        return None

    async def _fetch(self) -> list[Any]:
        with needing(Operation.READ, ResourceKind.TOPIC, ", ".join(self._partitions)):
            fetched = await self._consumer.getmany(timeout_ms=_WAIT_MS)
        for tp, records in fetched.items():
            self._next[tp] = records[-1].offset + 1
        return [record for records in fetched.values() for record in records]

    def _take_in_added_partitions(self) -> None:
        added = False
        for topic in self._partitions:
            for number in self._consumer.partitions_for_topic(topic) or ():
                if (tp := TopicPartition(topic, number)) not in self._next:
                    self._next[tp] = 0
                    added = True
        if added:
            self._assign()

    def _assign(self) -> None:
        self._consumer.assign(list(self._next))
        for tp, offset in self._next.items():
            self._consumer.seek(tp, offset)


async def existing_topics(bootstrap: str, client: Mapping[str, Any], topics: Sequence[str]) -> dict[str, int]:
    """The number of partitions of each topic. Raises MissingTopicError, and ``aiokafka.errors.KafkaError``."""
    async with admin_client(bootstrap, client) as admin:
        found = (await metadata(admin, topics)).partitions
    for topic in topics:
        if topic not in found:
            raise MissingTopicError(topic)
    return {topic: len(found[topic]) for topic in topics}


@asynccontextmanager
async def open_topics(bootstrap: str, client: Mapping[str, Any], topics: Sequence[str]) -> AsyncIterator[TopicReader]:
    """A reader that has not sought a place yet. ``client``: arguments of an aiokafka client.

    Raises MissingTopicError, and ``aiokafka.errors.KafkaError``.
    """
    found = await existing_topics(bootstrap, client, topics)
    consumer = AIOKafkaConsumer(
        **client,
        client_id="breachwatch-reader",
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,
        metadata_max_age_ms=_METADATA_AGE_MS,
    )
    async with started(consumer):
        yield TopicReader(consumer, found)


def _milliseconds(instant: int) -> int:
    return -(-instant // 1_000)
