"""Consumers without a group: from start to stop, and to the known ends of what they read."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka.structs import TopicPartition

from stream.runtime.kafka.denied import Operation, ResourceKind, needing

_WAIT_MS: Final = 200


@asynccontextmanager
async def started(consumer: Any) -> AsyncIterator[Any]:
    """Start an aiokafka consumer that has no group, and stop it in the end.

    ``start`` leaves a task behind that has not begun. If ``stop`` cancels the task before its first step, ``stop`` raises
    CancelledError, as if the caller itself were cancelled. One iteration of the event loop lets the task begin.

    Raises ``aiokafka.errors.KafkaError``.
    """
    try:
        await consumer.start()
        await asyncio.sleep(0)
        yield consumer
    finally:
        await consumer.stop()


async def records_between(consumer: Any, offsets: Mapping[TopicPartition, tuple[int, int]]) -> AsyncIterator[Any]:
    """Yield the records from the first offset of each partition up to, and without, the second. The consumer must be started.

    Raises ``aiokafka.errors.KafkaError``, also ``OffsetOutOfRangeError`` where the consumer has no reset policy.
    """
    unread = {tp: end for tp, (start, end) in offsets.items() if start < end}
    if not unread:
        return
    consumer.assign(list(unread))
    for tp in unread:
        consumer.seek(tp, offsets[tp][0])
    topics = ", ".join(sorted({tp.topic for tp in unread}))
    while unread:
        with needing(Operation.READ, ResourceKind.TOPIC, topics):
            fetched = await consumer.getmany(timeout_ms=_WAIT_MS)
        for tp, records in fetched.items():
            for record in records:
                if record.offset < offsets[tp][1]:
                    yield record
        unread = {tp: end for tp, end in unread.items() if await consumer.position(tp) < end}
