"""Checks the changelog of a worker before it joins the group, so that a worker that cannot go on disturbs no other.

* Its last record in each partition is mostly the checkpoint of the last owner: it states the form of the changelog, how tickets
  are divided, and whether they are being moved or restored. Where it is not, the take-over meets the checkpoint and refuses.
* Each owner writes a checkpoint before its first event. So where the group has committed an offset and the changelog never had
  a record, the changelog was deleted. A worker that went on would take every ticket for a new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from stream.runtime.kafka.denied import Operation, ResourceKind, needing
from stream.runtime.kafka.groupless import records_between, started
from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, decode_checkpoint
from stream.wire.forms import NewerReleaseError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from stream.runtime.kafka.topics import Topics


async def changelog_problems(client: Mapping[str, Any], topics: Topics, partitions: int) -> list[str]:
    """Why no worker can go on with this changelog, with the remedy. Raises ``aiokafka.errors.KafkaError``."""
    async with started(AIOKafkaConsumer(**client, client_id="breachwatch-start")) as reader:
        tps = [TopicPartition(topics.changelog, number) for number in range(partitions)]
        ends = await reader.end_offsets(tps)
        never = [tp.partition for tp in tps if not ends[tp]]
        if never and (read := await _with_offsets(client, topics, never)):
            return [_deleted(topics, read)]
        return await _refusals(reader, {tp: ends[tp] for tp in tps if ends[tp]}, topics, partitions)


def _deleted(topics: Topics, partitions: list[int]) -> str:
    return (
        f"topic {topics.changelog} has no record in partitions {', '.join(map(str, partitions))}, and their events were read "
        "before: the topic was deleted; bring the tickets back with `breachwatch restore`, or make them from the events with "
        "`breachwatch rebuild`"
    )


async def _with_offsets(client: Mapping[str, Any], topics: Topics, partitions: Collection[int]) -> list[int]:
    """Those partitions of the input of which the group has committed an offset other than 0."""
    # It has no assignment: aiokafka's coordinator ends with an assertion if one assignment replaces another while it starts.
    group = AIOKafkaConsumer(**client, client_id="breachwatch-start", group_id=topics.group, enable_auto_commit=False)
    try:
        await group.start()
        return [number for number in partitions if await group.committed(TopicPartition(topics.events, number))]
    finally:
        await group.stop()


async def _refusals(consumer: Any, ends: Mapping[Any, int], topics: Topics, partitions: int) -> list[str]:
    with needing(Operation.READ, ResourceKind.TOPIC, topics.changelog):
        for record in await _last(consumer, ends):
            if record.key != CHECKPOINT_KEY or record.value is None:
                continue
            try:
                checkpoint = decode_checkpoint(record.value, record.partition)
            except NewerReleaseError as error:
                return [str(error)]
            if refusal := checkpoint.refusal(record.partition, partitions):
                return [refusal]
    return []


async def _last(consumer: Any, ends: Mapping[Any, int]) -> Collection[Any]:
    """The last record of each of these partitions that still has one."""
    if not ends:
        return ()
    begins = await consumer.beginning_offsets(list(ends))
    last = {tp: (max(begins[tp], end - 1), end) for tp, end in ends.items()}
    return [record async for record in records_between(consumer, last)]
