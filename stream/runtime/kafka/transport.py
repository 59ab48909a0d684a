"""Faust's Kafka transport with our consumer (``consumer.py``) and a producer that waits until records are durable.

The producer is idempotent and waits for all replicas. It writes records in whole batches and awaits them.
``docs/internals/adr`` has the reasons. ``tests/unit/runtime/kafka/test_transport.py`` tests the internals of Faust and aiokafka
on which this relies.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from faust.transport.drivers import aiokafka as driver

from stream.runtime.kafka.consumer import FAUST_LOG, Consumer
from stream.runtime.kafka.denied import Operation, ResourceKind, needing

if TYPE_CHECKING:
    from collections.abc import Iterable


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record to write."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Producer(driver.Producer):  # type: ignore[misc]  # Faust ships no types mypy could follow
    """Writes whole batches and waits until they are durable."""

    logger = FAUST_LOG

    def _settings_extra(self) -> dict[str, Any]:
        # Without idempotence, a retry after a lost answer would write the batch twice.
        return {"acks": "all", "enable_idempotence": True}

    async def write(self, topic: str, partition: int, records: Iterable[Record]) -> int | None:
        """Write the records in order, wait until all replicas have them, and return the offset of the last one, if known.

        Raises ``aiokafka.errors.KafkaError`` if the broker refuses. Some of the records may then be written.
        """
        return await write(self._ensure_producer(), topic, partition, records)


async def write(producer: Any, topic: str, partition: int, records: Iterable[Record]) -> int | None:
    """As ``Producer.write``, with an aiokafka producer."""
    last = None
    for delivery, count in await submit(producer, topic, partition, records):
        with needing(Operation.WRITE, ResourceKind.TOPIC, topic):
            first = (await delivery).offset
        # A retried batch that the broker already had is acknowledged without its offset.
        last = first + count - 1 if first >= 0 else None
    return last


async def submit(producer: Any, topic: str, partition: int, records: Iterable[Record]) -> list[tuple[Any, int]]:
    """Pass the records to an aiokafka producer in whole batches. Returns the delivery to await and the size of each batch."""
    # Straight into the builder of the batch: the batch's own ``append`` costs as much again.
    deliveries = []
    batch = producer.create_batch()
    append, count, now = batch._builder.append, 0, time.time_ns() // 1_000_000

    async def send() -> None:
        batch._relative_offset = count
        batch.close()
        delivery = await producer.send_batch(batch, topic, partition=partition)
        deliveries.append((delivery, count))

    for record in records:
        if append(count, now, record.key, record.value, record.headers) is None:
            await send()
            batch, count = producer.create_batch(), 0
            append = batch._builder.append
            append(0, now, record.key, record.value, record.headers)
        count += 1
    if count:
        await send()
    return deliveries


class Transport(driver.Transport):  # type: ignore[misc]
    """Makes Faust use our consumer and producer."""

    Consumer = Consumer
    Producer = Producer
