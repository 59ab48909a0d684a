"""Moves the tickets of an installation whose input has got more partitions to the partitions of their new events.

More partitions give some keys another partition. The state of their tickets is then where no more events come. Kafka's clients
agree on the partition of a key (murmur2), so it is known where each ticket belongs, before and after.

To repartition:

1. Refuse if the names are those of another installation, or if a worker runs.
2. Read the changelog: the tickets, the checkpoint and the epoch of each partition.
3. Refuse if the partitions from before have input that is not processed, if outputs hold effects that the tickets do not know
   of, or if tickets are not where their keys belong: then something else than Kafka's rule divides them.
4. Mark each partition in its checkpoint. From here on until 9, no worker takes a partition over.
5. Give the changelog and the outputs as many partitions as the input has.
6. Workers that ran on after the change may have met events of a ticket in its new partition, without its state. Publish those
   events again: they will find the state that 7 puts there.
7. Write each ticket that moves to its new partition.
8. Delete it from the old one.
9. Write the checkpoint of each partition, without the mark. Refuse if a worker has come after all.

After a crash before 4, nothing has changed. After one between 4 and 9, the command is run again: a ticket that 7 has written is
found in both places, with the same bytes; events that 6 has published twice are repetitions for the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from aiokafka.structs import TopicPartition

from stream.runtime.kafka.policy_log import ForeignLogError, PolicyLog
from stream.runtime.kafka.topic_admin import admin_client, grow, metadata
from stream.runtime.kafka.transport import Record, write
from stream.runtime.recovery.checkpoint import (
    CHECKPOINT_KEY,
    EPOCH,
    Checkpoint,
    Gap,
    encode_checkpoint,
    with_gap,
)
from stream.runtime.recovery.cluster import reading, records_between, running_workers, stored_partitions
from stream.sla.codec import codec
from stream.wire.effect import encode_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.runtime.kafka.topics import Topics
    from stream.runtime.recovery.cluster import Cluster, StoredPartition
    from stream.sla.feed_health import Feed


class RepartitionError(Exception):
    """The tickets cannot be moved now. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Moves:
    """Where tickets are, and where they belong."""

    before: int
    """Partitions from before."""
    after: int
    tickets: int = 0
    moved: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """Record key to the partition from which and to which the ticket moves."""
    split: dict[bytes, int] = field(default_factory=dict)
    """Record key to the partition in which workers met events of a ticket that is elsewhere."""


def home(key: bytes, partitions: int) -> int:
    """The partition of a record key, by the rule of Kafka's own clients."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def moves(found: Mapping[int, StoredPartition], before: int, after: int) -> Moves:
    """Which tickets move. Raises RepartitionError when tickets are where their keys do not belong."""
    plan = Moves(before, after, sum(len(partition.tickets) for partition in found.values()))
    astray = []
    for number, partition in found.items():
        for key, state in partition.tickets.items():
            old, new = home(key, before), home(key, after)
            if number == old and new != old:
                plan.moved[key] = old, new
                there = found[new].tickets.get(key) if new in found else None
                if there is not None and there != state:
                    plan.split[key] = new
            elif number not in (old, new):
                astray.append(key)
    if astray:
        raise RepartitionError(
            f"{len(astray)} tickets, such as {astray[0].decode('utf-8', 'replace')!r}, are not in the partition of their key: "
            "the publisher does not choose partitions by Kafka's rule (murmur2 of the key), so nobody knows where they belong; "
            "let it publish to the partitions from before, or start with a new --app-id"
        )
    return plan


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
        marked = checkpoints({number: each.checkpoint for number, each in found.items()}, before, after)
        for number in found:  # 4
            await write(producer, topics.changelog, number, [_checkpoint(marked[number], headers)])
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
                await write(producer, topics.changelog, number, [_checkpoint(marked[number], headers)])
            await write(  # 7
                producer, topics.changelog, number, (Record(key, found[old].tickets[key], headers) for key, old in here)
            )
        for number in found:  # 8
            gone = (Record(key, None, headers) for key, (old, _) in plan.moved.items() if old == number)
            await write(producer, topics.changelog, number, gone)
        await _refuse_workers(cluster)
        for number in range(after):  # 9
            done = msgspec.structs.replace(marked[number], partitions=after, moving_to=0)
            await write(producer, topics.changelog, number, [_checkpoint(done, headers)])
    return plan


def checkpoints(found: Mapping[int, Checkpoint | None], before: int, after: int) -> dict[int, Checkpoint]:
    """The checkpoint of each partition while tickets move. ``found``: those that the changelog has.

    Any partition may get tickets of any other. So each of them knows what one of them knew, was swept no later than any, and
    doubts what one of them doubts. How far the input was read is a partition's own.
    """
    known = [each for number, each in found.items() if each is not None and number < before] or [Checkpoint()]
    newest = max(known, key=lambda each: each.deployed)
    gaps: tuple[Gap, ...] = ()
    for gap in sorted({gap for each in known for gap in each.gaps}, key=lambda gap: (gap.since, gap.found_at)):
        gaps = with_gap(gaps, gap)
    joined = msgspec.structs.replace(
        newest,
        outputs={},
        watermark=min((each.watermark for each in known if each.watermark), default=0),
        swept=min(each.swept for each in known),
        since=min((each.since for each in known if each.since), default=0),
        partitions=before,
        moving_to=after,
        # A partition that nobody has read yet is read from its beginning.
        input=0,
        gaps=gaps,
        feeds=_feeds(known),
        received=_received(known),
    )
    moving = dict.fromkeys(range(after), joined)
    for number in range(before):
        own = found.get(number) or Checkpoint()
        moving[number] = msgspec.structs.replace(
            joined, watermark=own.watermark, outputs=own.outputs, since=own.since or joined.since, input=own.input
        )
    return moving


def _feeds(known: list[Checkpoint]) -> dict[str, Feed]:
    """Each watched source as the partition knows it that has read the least of its ticks."""
    feeds: dict[str, Feed] = {}
    for each in known:
        for source, feed in each.feeds.items():
            if source not in feeds or feed.complete < feeds[source].complete:
                feeds[source] = feed
    return feeds


def _received(known: list[Checkpoint]) -> dict[str, int]:
    received: dict[str, int] = {}
    for each in known:
        for source, at in each.received.items():
            received[source] = max(at, received.get(source, 0))
    return received


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
