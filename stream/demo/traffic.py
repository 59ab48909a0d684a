"""The demo's topics: publishes the feed to the input topic, and reads the output topics into the view."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.runtime.kafka.publisher import Publisher
from stream.runtime.kafka.topics import Topics
from stream.wire.effect import decode_effect, decode_rejected

if TYPE_CHECKING:
    from stream.demo.view import View
    from stream.demo.written_tickets import FeedRecord

PARTITIONS: Final = 4
TOPICS: Final = Topics(app_id="demo")


class Inputs:
    """Publishes records in order."""

    def __init__(self, bootstrap: str) -> None:
        self._publisher = Publisher({"bootstrap_servers": bootstrap}, TOPICS.events)

    async def start(self) -> None:
        await self._publisher.start()

    async def stop(self) -> None:
        await self._publisher.stop()

    async def play(self, view: View, records: list[FeedRecord], seconds: float) -> None:
        """Publish all records in ``seconds``, in proportion to their times in the feed."""
        began, first, span = time.monotonic(), records[0].at, records[-1].at - records[0].at
        for number, record in enumerate(records, 1):
            due = began + (record.at - first) / span * seconds
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._send(record)
            view.clock(record.at, number, len(records))
        await self._publisher.delivered()

    async def now(self, records: list[FeedRecord]) -> None:
        """Publish all records at once."""
        for record in records:
            await self._send(record)
        await self._publisher.delivered()

    async def _send(self, record: FeedRecord) -> None:
        if record.everywhere:
            await self._publisher.tick(record.value)
        else:
            await self._publisher.event(record.value, record.key or None)


class Outputs:
    """Reads the committed records of the output topics, from the beginning, into the view."""

    def __init__(self, bootstrap: str, view: View) -> None:
        self.shown = 0
        self._view = view
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
        self._partitions = [
            TopicPartition(topic, number)
            for topic in (TOPICS.breaches, TOPICS.escalations, TOPICS.rejected)
            for number in range(PARTITIONS)
        ]

    async def start(self) -> None:
        await self._consumer.start()
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_beginning()

    async def stop(self) -> None:
        await self._consumer.stop()

    async def read(self) -> None:
        """Read until cancelled."""
        while True:
            for partition, records in (await self._consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    if partition.topic == TOPICS.rejected:
                        self._view.dead_letter(decode_rejected(record.value))
                    else:
                        self._view.effect(decode_effect(record.value))
                self.shown += len(records)

    async def ends(self, topic: str) -> dict[TopicPartition, int]:
        """The offset after the last record of each partition."""
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(
            [TopicPartition(topic, number) for number in range(PARTITIONS)]
        )
        return ends

    async def until_shown(self) -> None:
        """Wait until all records that the output topics have now are shown."""
        ends = await self._consumer.end_offsets(self._partitions)
        for partition, end in ends.items():
            while await self._consumer.position(partition) < end:  # noqa: ASYNC110  the consumer has no event for its position
                await asyncio.sleep(0.05)
