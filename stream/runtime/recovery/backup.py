"""Copies what an installation stores into a file, while its workers run.

The parts are read one after the other while workers write, in an order in which nothing is missing from the whole:

1. The positions of pulled feeds. What a helpdesk has shown up to them is published, and so in 2 to 4.
2. The ends of the input.
3. The changelog, partition by partition: the tickets, and the checkpoint, which states up to where the input is in them.
4. The input from there to the end of 2: published, and not in the tickets yet.
5. The log of deployments: every one by which a ticket of 3 was judged.
6. What ``notify`` and ``writeback`` store.

A ticket that is written while its partition is read may be newer than the checkpoint. Its events come again then, and change
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiokafka.structs import TopicPartition

from stream.runtime.kafka.groupless import records_between
from stream.runtime.kafka.policy_log import PolicyLog
from stream.runtime.kafka.topic_admin import admin_client, metadata
from stream.runtime.recovery.backup_file import Deployment, Event, Head, Partition, Stored, Ticket
from stream.runtime.recovery.checkpoint import encode_checkpoint
from stream.runtime.recovery.cluster import reading, stored_partitions
from stream.wire.counting import many
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.runtime.recovery.backup_file import BackupWriter
    from stream.runtime.recovery.checkpoint import Checkpoint
    from stream.runtime.recovery.cluster import Cluster

UNFINISHED: Final = "the tickets of partition {} are being moved or restored: let that finish, then run this again"


class NoBackupError(Exception):
    """The installation cannot be copied now. The text has the remedy."""


async def back_up(cluster: Cluster, output: BackupWriter, now: int, report: Callable[[str], None]) -> None:
    """All of it. ``now``: epoch microseconds. ``report``: called with each part that is done.

    Raises NoBackupError, PolicyLogError, NewerReleaseError, ``aiokafka.errors.KafkaError``.
    """
    topics = cluster.topics
    optional = [topics.feed_state, topics.notify_state, topics.writeback_state]
    async with admin_client(cluster.bootstrap, cluster.client) as admin:
        found = await metadata(admin, [topics.events, topics.changelog, topics.policies, *optional])
    missing = [name for name in (topics.events, topics.changelog, topics.policies) if name not in found.partitions]
    if missing:
        raise NoBackupError(f"topic {missing[0]} is missing: check --broker, --app-id and --topic-prefix")
    partitions = len(found.partitions[topics.changelog])
    output.add(
        Head(
            taken_at=format_instant(now),
            cluster=found.cluster,
            group=topics.group,
            input=topics.events,
            partitions=partitions,
        )
    )
    optional = [name for name in optional if name in found.partitions]
    async with reading(cluster, "backup") as consumer:
        for name in optional[:1] if topics.feed_state in optional else []:  # 1
            await _store(cluster, consumer, name, output)
        tps = [TopicPartition(topics.events, number) for number in range(partitions)]
        begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)  # 2
        known = await _partitions(cluster, consumer, partitions, output, report)  # 3
        unread = {tp: (max(known[tp.partition].input or 0, begins[tp]), ends[tp]) for tp in tps if tp.partition in known}
        events = 0
        async for record in records_between(consumer, unread):  # 4
            output.add(Event(record.partition, record.key, record.value))
            events += 1
        report(f"{many(events, 'event')} not in the tickets yet")
        log = await PolicyLog(cluster.client, topics).read()  # 5
        for number, value in log.values.items():
            output.add(Deployment(number, log.log.entries[number].appended, value))
        report(many(len(log.values), "deployment"))
        for name in optional:  # 6
            if name != topics.feed_state:
                await _store(cluster, consumer, name, output)
    output.finish()


async def _partitions(
    cluster: Cluster, consumer: Any, partitions: int, output: BackupWriter, report: Callable[[str], None]
) -> dict[int, Checkpoint]:
    known: dict[int, Checkpoint] = {}
    tickets = 0
    for number in range(partitions):
        stored = (await stored_partitions(consumer, cluster.topics.changelog, [number]))[number]
        if stored.checkpoint is None:
            continue
        if stored.checkpoint.moving_to or stored.checkpoint.restoring:
            raise NoBackupError(UNFINISHED.format(number))
        known[number] = stored.checkpoint
        output.add(Partition(number, stored.epoch, msgspec.Raw(encode_checkpoint(stored.checkpoint))))
        for key, state in stored.tickets.items():
            output.add(Ticket(key, state))
        tickets += len(stored.tickets)
        report(f"{many(tickets, 'ticket')} of {number + 1} of {many(partitions, 'partition')}")
    return known


async def _store(cluster: Cluster, consumer: Any, name: str, output: BackupWriter) -> None:
    tp = TopicPartition(name, 0)
    begin, end = (await consumer.beginning_offsets([tp]))[tp], (await consumer.end_offsets([tp]))[tp]
    newest: dict[bytes, bytes | None] = {}
    async for record in records_between(consumer, {tp: (begin, end)}):
        newest[record.key] = record.value
    for key, value in newest.items():
        if value is not None:
            output.add(Stored(name.removeprefix(cluster.topics.prefix), key, value))
