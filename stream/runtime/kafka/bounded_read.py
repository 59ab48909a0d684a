"""Reads parts of topics to their known ends, with a consumer that is in no group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stream.runtime.kafka.denied import Kind, Operation, needing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiokafka.structs import TopicPartition

_WAIT_MS: Final = 200


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
        with needing(Operation.READ, Kind.TOPIC, topics):
            fetched = await consumer.getmany(timeout_ms=_WAIT_MS)
        for tp, records in fetched.items():
            for record in records:
                if record.offset < offsets[tp][1]:
                    yield record
        unread = {tp: end for tp, end in unread.items() if await consumer.position(tp) < end}
