"""Moves the tickets of an installation whose input has got more partitions to the partitions of their new events.

More partitions give some keys another partition. The state of their tickets is then where no more events come. Kafka's clients
agree on the partition of a key (murmur2), so it is known where each ticket belongs, before and after.

To repartition:

1. Refuse if the names are those of another installation, or if a worker runs.
2. Read the changelog: the tickets, the checkpoint and the epoch of each partition.
3. Refuse if the partitions from before have input that is not processed, if outputs hold effects that the tickets do not know
   of, or if tickets are not where their keys belong: then something else than Kafka's rule divides them.
4. Write into the checkpoint of each partition that its tickets move. From here on until 9, no worker takes a partition over.
5. Give the changelog and the outputs as many partitions as the input has.
6. Workers that ran on after the change may have met events of a ticket in its new partition, without its state. Publish those
   events again: they will find the state that 7 puts there.
7. Write each ticket that moves to its new partition.
8. Delete it from the old one.
9. Write the checkpoint of each partition again, without that. Refuse if a worker has come after all.

After a crash before 4, nothing has changed. After one between 4 and 9, the command is run again: a ticket that 7 has written is
found in both places, with the same bytes; events that 6 has published twice are repetitions for the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from stream.runtime.kafka.groupless import records_between
from stream.runtime.kafka.policy_log import ForeignLogError, PolicyLog
from stream.runtime.kafka.topic_admin import admin_client, grow, metadata
from stream.runtime.kafka.transport import Record, write
from stream.runtime.recovery.checkpoint import (
    CHECKPOINT_KEY,
    EPOCH,
    Checkpoint,
    encode_checkpoint,
)
from stream.runtime.recovery.cluster import reading, running_workers, stored_partitions
from stream.runtime.recovery.moves import Moves, RepartitionError, checkpoints, moves
from stream.sla.codec import codec
from stream.wire.effect import encode_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.runtime.kafka.topics import Topics
    from stream.runtime.recovery.cluster import Cluster, StoredPartition


async def repartition(cluster: Cluster) -> Moves:
    """Do all of it. Returns what was moved; ``before`` equals ``after`` if there was nothing to do.

    Raises RepartitionError, NewerReleaseError if a newer release wrote the changelog, and ``aiokafka.errors.KafkaError`` if the
    cluster does not answer: then run it again.
    """
    topics = cluster.topics
    async with admin_client(cluster.bootstrap, cluster.client) as admin:
        partitions = (await metadata(admin, [topics.events, topics.changelog, topics.policies])).partitions
    if topics.policies in partitions:
        await _refuse_names_of_another(cluster)  # 1
    await _refuse_workers(cluster)
    if not {topics.events, topics.changelog} <= partitions.keys():
        raise RepartitionError("the input topic or the changelog is missing: run `breachwatch topics check`")
    after, exist = len(partitions[topics.events]), len(partitions[topics.changelog])
    async with reading(cluster, "repartition") as consumer:
        found = await stored_partitions(consumer, topics.changelog, range(exist))  # 2
        stated = {each.checkpoint.partitions for each in found.values() if each.checkpoint and each.checkpoint.partitions}
        before = min(stated, default=exist)
        if before >= after:
            return Moves(after, after)
        # 3
        await _refuse_unprocessed(cluster, consumer, before)
        await _refuse_unknown_outputs(topics, consumer, found)
    plan = moves(found, before, after)
    epoch = 1 + max(each.epoch for each in found.values())
    headers = [(EPOCH, b"%d" % epoch)]
    async with AIOKafkaProducer(**cluster.client, acks="all", enable_idempotence=True, max_request_size=4_194_304) as producer:
        moving = checkpoints({number: each.checkpoint for number, each in found.items()}, before, after)
        for number in found:  # 4
            await write(producer, topics.changelog, number, [_checkpoint(moving[number], headers)])
        await grow(cluster.bootstrap, topics, after, client=cluster.client)  # 5
        while len(await producer.partitions_for(topics.changelog)) < after:
            await producer.client.force_metadata_update()  # it knows the partitions from before
        for key, number in plan.split.items():  # 6
            state = codec.decode(found[number].tickets[key])
            again = [Record(key, encode_event(state.head.id, event), []) for event in state.history]
            await write(producer, topics.events, number, again)
        for number in range(after):
            here = [(key, old) for key, (old, new) in plan.moved.items() if new == number]
            if number not in found:
                await write(producer, topics.changelog, number, [_checkpoint(moving[number], headers)])
            await write(  # 7
                producer, topics.changelog, number, (Record(key, found[old].tickets[key], headers) for key, old in here)
            )
        for number in found:  # 8
            gone = (Record(key, None, headers) for key, (old, _) in plan.moved.items() if old == number)
            await write(producer, topics.changelog, number, gone)
        await _refuse_workers(cluster)
        for number in range(after):  # 9
            done = msgspec.structs.replace(moving[number], partitions=after, moving_to=0)
            await write(producer, topics.changelog, number, [_checkpoint(done, headers)])
    return plan


def _checkpoint(checkpoint: Checkpoint, headers: list[tuple[str, bytes]]) -> Record:
    return Record(CHECKPOINT_KEY, encode_checkpoint(checkpoint), headers)


async def _refuse_names_of_another(cluster: Cluster) -> None:
    try:
        await PolicyLog(cluster.client, cluster.topics).read()
    except ForeignLogError as error:
        raise RepartitionError(str(error)) from error


async def _refuse_workers(cluster: Cluster) -> None:
    if refusal := await running_workers(cluster):
        raise RepartitionError(refusal)


async def _refuse_unprocessed(cluster: Cluster, consumer: Any, before: int) -> None:
    topics = cluster.topics
    async with admin_client(cluster.bootstrap, cluster.client) as admin:
        committed = await admin.list_consumer_group_offsets(topics.group)
    tps = [TopicPartition(topics.events, number) for number in range(before)]
    ends = await consumer.end_offsets(tps)
    behind = [tp.partition for tp in tps if ends[tp] > (committed[tp].offset if tp in committed else 0)]
    if behind:
        raise RepartitionError(
            f"partitions {', '.join(map(str, behind))} of {topics.events} have events that are not processed: start a worker "
            f"with --partitions {before}, wait until sla_committed_lag_records is 0, stop it, then run this again"
        )


async def _refuse_unknown_outputs(topics: Topics, consumer: Any, found: Mapping[int, StoredPartition]) -> None:
    starts = {
        TopicPartition(topic, number): offset
        for number, each in found.items()
        if each.checkpoint is not None
        for topic, offset in each.checkpoint.outputs.items()
        if topic != topics.rejected
    }
    ends = await consumer.end_offsets(list(starts)) if starts else {}
    async for record in records_between(consumer, {tp: (offset, ends[tp]) for tp, offset in starts.items()}):
        raise RepartitionError(
            f"a worker died after it had published effects of partition {record.partition}, and before it had written their "
            f"tickets: start a worker with --partitions {len(found)}, wait until it is live, stop it, then run this again"
        )
