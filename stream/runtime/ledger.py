"""What a partition's outputs already hold, read back when the partition is taken over, so that nothing is said twice.

A worker that dies between writing the effects of a turn and writing the state they came from leaves effects that its
successor will find true again, with the same ids. They can only be effects of its last turn, and a turn's are bounded
(``turn.MOST_OUTPUTS``): the tail of the topics is enough. What is not committed is not in it, and never will be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from stream.runtime.connection import client_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.runtime.outputs import Outputs
    from stream.runtime.settings import Settings
    from stream.runtime.topics import Topics

TAIL: Final = 10_000
"""Records that are read back of each output partition."""

ORIGIN: Final = "origin"
"""Header of a dead letter: which record it is about (``origin``)."""


def origin(record: Any) -> bytes:
    """Name of a source record within its partition. The time is in it for a topic that was deleted and made again."""
    return b"%d@%d" % (record.offset, record.timestamp)


async def read_back(settings: Settings, topics: Topics, outputs: Mapping[int, Outputs]) -> None:
    """Note in the outputs of each partition which effects and dead letters stand at the end of its topics.

    The outputs must be fenced already: then everything that is committed is final, and nothing is under way.
    Raises ``aiokafka.errors.KafkaError``.
    """
    if not outputs:
        return
    consumer = AIOKafkaConsumer(
        **client_options(settings),
        client_id="breachwatch-ledger",
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    await consumer.start()
    try:
        tps = [
            TopicPartition(topic, partition)
            for topic in (topics.breaches, topics.escalations, topics.rejected)
            for partition in outputs
        ]
        first, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        unread = {tp for tp in tps if end[tp] > first[tp]}
        consumer.assign(list(unread))
        for tp in unread:
            consumer.seek(tp, max(first[tp], end[tp] - TAIL))
        while unread:
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                outputs[tp.partition].said.update(
                    value for record in records for name, value in record.headers if name in ("ce_id", ORIGIN)
                )
            for tp in list(unread):
                if await consumer.position(tp) >= end[tp]:
                    unread.remove(tp)
    finally:
        await consumer.stop()
