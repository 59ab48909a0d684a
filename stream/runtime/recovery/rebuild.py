"""Lets the workers make all tickets anew from the events, after the changelog was lost.

1. Refuse if a worker runs, if the changelog has tickets, if nothing was ever deployed, or if the input has lost its beginning
   and nobody has accepted that.
2. Write a checkpoint to each partition: nothing is read, and the outputs are to be read back from their beginning, so that no
   effect that is still there is published again.
3. Set the group's offsets to the beginning of the input.

Nothing else: the next worker reads the input anew. After a crash between 2 and 3, ``rebuild`` is run again.

Where the outputs are whole, an event arrives when it did: what is published anew is what is missing. Where they have lost their
beginning, everything arrives now, so that what was published long ago is published as late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from stream.runtime.kafka.groupless import records_between
from stream.runtime.kafka.policy_log import PolicyLog
from stream.runtime.kafka.positions import NO_TIMESTAMP
from stream.runtime.kafka.topic_admin import admin_client, metadata
from stream.runtime.kafka.transport import Record, write
from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, EPOCH, Checkpoint, encode_checkpoint
from stream.runtime.recovery.cluster import commit, reading, running_workers, stored_partitions

if TYPE_CHECKING:
    from stream.runtime.recovery.cluster import Cluster


class RebuildError(Exception):
    """The tickets cannot be made anew from this input. The text has the remedy."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The input of a rebuild."""

    events: int
    """Records of the input."""
    since: int
    """The arrival of the oldest of them, epoch microseconds; 0: it is not known, or there are none."""
    lost: int
    """Records at the beginning of the input that are gone."""
    begins: dict[int, int]
    """The first offset of each partition."""
    epoch: int
    """Above all of the changelog."""
    whole_outputs: bool
    """The effects that were ever published are still there."""


async def plan_rebuild(cluster: Cluster, *, partial: bool) -> Rebuild:
    """Step 1. ``partial``: that the input has lost its beginning is accepted.

    Raises RebuildError, PolicyLogError, NewerReleaseError, ``aiokafka.errors.KafkaError``.
    """
    topics = cluster.topics
    if refusal := await running_workers(cluster):
        raise RebuildError(refusal)
    async with admin_client(cluster.bootstrap, cluster.client) as admin:
        found = (await metadata(admin, [topics.events, topics.changelog, topics.breaches, topics.escalations])).partitions
    count = len(found.get(topics.events, ()))
    for name in (topics.events, topics.changelog, topics.breaches, topics.escalations):
        if not count or len(found.get(name, ())) != count:
            raise RebuildError(f"topic {name} is missing or has another number of partitions: run `breachwatch topics create`")
    if (await PolicyLog(cluster.client, topics).read()).log.last is None:
        raise RebuildError(
            f"nothing was ever deployed (topic {topics.policies}): bring the log back with `breachwatch deploy --import`, or "
            "deploy the policies with `breachwatch deploy`, then run this again"
        )
    async with reading(cluster, "rebuild") as consumer:
        stored = await stored_partitions(consumer, topics.changelog, range(count))
        if any(each.tickets or (each.checkpoint and each.checkpoint.input) for each in stored.values()):
            raise RebuildError(
                f"topic {topics.changelog} has tickets: if it is damaged, delete it and run `breachwatch topics create "
                f"--partitions {count}`, then run this again"
            )
        tps = [TopicPartition(topics.events, number) for number in range(count)]
        begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        lost = sum(begins.values())
        since = await _oldest(consumer, begins, ends)
        outputs = [TopicPartition(name, number) for name in (topics.breaches, topics.escalations) for number in range(count)]
        whole = not any((await consumer.beginning_offsets(outputs)).values()) and any(
            (await consumer.end_offsets(outputs)).values()
        )
    if lost and not partial:
        raise RebuildError(
            f"the first {lost:,} records of {topics.events} were deleted: tickets whose creation was among them begin with "
            "what is left, and their effects are provisional. Publish the missing events again, such as with `breachwatch pull "
            "--since`, or accept it with --partial"
        )
    events, epoch = sum(ends[tp] - begins[tp] for tp in tps), 1 + max(each.epoch for each in stored.values())
    return Rebuild(events, since, lost, {tp.partition: begins[tp] for tp in tps}, epoch, whole_outputs=whole)


async def rebuild(cluster: Cluster, planned: Rebuild, now: int) -> None:
    """Steps 2 and 3. ``now``: epoch microseconds. Raises ``aiokafka.errors.KafkaError``."""
    topics = cluster.topics
    fresh = Checkpoint(
        outputs={topics.breaches: 0, topics.escalations: 0},
        since=0 if planned.whole_outputs else now,
        partitions=len(planned.begins),
        input=0,
    )
    async with AIOKafkaProducer(**cluster.client, acks="all", enable_idempotence=True) as producer:
        record = Record(CHECKPOINT_KEY, encode_checkpoint(fresh), [(EPOCH, b"%d" % planned.epoch)])
        for number in planned.begins:  # 2
            await write(producer, topics.changelog, number, [record])
    await commit(cluster, planned.begins)  # 3


async def _oldest(consumer: Any, begins: dict[Any, int], ends: dict[Any, int]) -> int:
    """The arrival of the oldest of the partitions' first records, epoch microseconds; 0: none has a timestamp."""
    firsts = {tp: (begin, min(begin + 1, ends[tp])) for tp, begin in begins.items()}
    found = [record.timestamp async for record in records_between(consumer, firsts)]
    return min([timestamp * 1_000 for timestamp in found if timestamp not in (None, NO_TIMESTAMP)], default=0)
