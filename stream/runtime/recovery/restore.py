"""Brings a backup back into empty topics, on the cluster of the backup or on another one.

1. Read the whole file, and refuse what is not a whole backup.
2. Refuse if a worker runs, if topics are missing or have another number of partitions, if the changelog has a record, or if the
   log of deployments has one and does not begin with that of the backup.
3. Decide which input this is. On the cluster of the backup, under its name, with as many events as were read: the same one. It
   stays as it is, and is read on from where the tickets stand. Otherwise it must be empty: it gets the events that the tickets
   do not have yet.
4. Write the log of deployments, if it is empty.
5. Write into the checkpoint of each partition that it is being restored. From here on until 9, no worker takes one over.
6. Write the tickets.
7. Write what ``notify``, ``writeback`` and ``pull`` store, where their topics are empty.
8. Set the group's offsets to where the tickets stand; publish the events into another input.
9. Write the checkpoint of each partition again, without that.

After a crash before 9, workers refuse, and so does another try: delete the changelog, create it again, and restore again. An
input that is not that of the backup must be created again, too.

What the workers published after the backup stays in the outputs of the same cluster; it is read back at the start, and not
published again. Into the outputs of another cluster it is published again, with the same ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from stream.deployments.export import appendable
from stream.runtime.kafka.policy_log import PolicyLog
from stream.runtime.kafka.topic_admin import admin_client, metadata
from stream.runtime.kafka.transport import Record, write
from stream.runtime.recovery.backup_file import BackupError, Deployment, Event, Partition, Stored, Ticket, read_backup, verified
from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, EPOCH, Checkpoint, decode_checkpoint, encode_checkpoint
from stream.runtime.recovery.cluster import commit, reading, running_workers
from stream.wire.counting import many

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream.runtime.recovery.backup_file import Summary
    from stream.runtime.recovery.cluster import Cluster

_TOGETHER: Final = 2_000
"""Records that are in memory at once."""


class RestoreError(Exception):
    """The backup cannot be restored here. The text has the remedy."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The planned steps of a restore."""

    summary: Summary
    same_input: bool
    """The input is that of the backup; otherwise it is empty."""
    deploys: bool
    """The log of deployments is empty."""
    fills: tuple[str, ...]
    """The topics of ``notify``, ``writeback`` and ``pull`` that get their records back, without the topic prefix."""


async def plan(cluster: Cluster, path: Path) -> Plan:
    """Steps 1 to 3. Raises BackupError, RestoreError, NewerReleaseError, OSError, ``aiokafka.errors.KafkaError``."""
    summary = verified(path)  # 1
    try:
        checkpoints = {number: decode_checkpoint(value, number) for number, value in summary.checkpoints.items()}
    except (ValueError, RecursionError) as error:
        raise BackupError(f"{path}: it has a checkpoint that is none: {error}") from error
    if not checkpoints.keys() <= set(range(summary.head.partitions)):
        raise BackupError(f"{path}: it has checkpoints of other partitions than its {summary.head.partitions}")
    topics, partitions = cluster.topics, summary.head.partitions
    if refusal := await running_workers(cluster):  # 2
        raise RestoreError(refusal)
    async with admin_client(cluster.bootstrap, cluster.client) as admin:
        found = await metadata(admin, [topics.events, topics.changelog, topics.policies, *_optional(cluster).values()])
    for name, wanted in ((topics.events, partitions), (topics.changelog, partitions), (topics.policies, 1)):
        if len(found.partitions.get(name, ())) != wanted:
            raise RestoreError(
                f"topic {name} must have {wanted} partition{'s' if wanted > 1 else ''}, as in the backup, and has "
                f"{len(found.partitions.get(name, ()))}: run `breachwatch topics create --partitions {partitions}`"
            )
    async with reading(cluster, "restore") as consumer:
        if any((await _ends(consumer, topics.changelog, partitions)).values()):
            raise _not_empty(topics.changelog, partitions)
        deploys = not any((await _ends(consumer, topics.policies, 1)).values())
        if not deploys and not await _begins_with(cluster, path):
            raise _not_empty(topics.policies, partitions)
        ends = await _ends(consumer, topics.events, partitions)
        fills = [
            name
            for name, topic in _optional(cluster).items()
            if name in summary.stored and topic in found.partitions and not any((await _ends(consumer, topic, 1)).values())
        ]
    read = {number: checkpoint.input or 0 for number, checkpoint in checkpoints.items()}
    same = (found.cluster, topics.events) == (summary.head.cluster, summary.head.input)  # 3
    same = same and all(ends[number] >= offset for number, offset in read.items())
    if not same and any(ends.values()):
        raise RestoreError(
            f"topic {topics.events} has events, and is not the input of the backup: delete it, run `breachwatch topics create "
            f"--partitions {partitions}`, restore, and publish those events again afterwards"
        )
    return Plan(summary, same, deploys, tuple(fills))


def _not_empty(topic: str, partitions: int) -> RestoreError:
    return RestoreError(
        f"topic {topic} is not empty, and a restore would mix two states: delete it, run `breachwatch topics create "
        f"--partitions {partitions}`, then run this again"
    )


async def _begins_with(cluster: Cluster, path: Path) -> bool:
    """Whether the log of deployments has all of the backup."""
    known = (await PolicyLog(cluster.client, cluster.topics).read()).log.entries
    deployments = [line for line in read_backup(path) if isinstance(line, Deployment)]
    return all(line.number in known and known[line.number].appended == line.appended for line in deployments)


async def restore(cluster: Cluster, path: Path, planned: Plan, report: Callable[[str], None]) -> None:
    """Steps 4 to 9. ``report``: called with each part that is done. Raises as ``plan`` does, and PolicyLogError."""
    topics, numbers = cluster.topics, sorted(planned.summary.checkpoints)
    if planned.deploys:
        values = {line.number: (line.record, line.appended) for line in read_backup(path) if isinstance(line, Deployment)}
        await PolicyLog(cluster.client, topics).restore(appendable(values))  # 4
        report(many(len(values), "deployment"))
    async with AIOKafkaProducer(**cluster.client, acks="all", enable_idempotence=True, max_request_size=4_194_304) as producer:
        for number in numbers:  # 5
            await write(producer, topics.changelog, number, [_checkpoint(Checkpoint(restoring=True), 1)])
        epochs = await _write_lines(cluster, path, planned, producer, report)  # 6, 7, and the events of 8
        restored = {}
        for number in numbers:
            checkpoint = decode_checkpoint(planned.summary.checkpoints[number], number)
            if not planned.same_input:
                checkpoint = msgspec.structs.replace(checkpoint, input=0, outputs=dict.fromkeys(_effects(cluster), 0))
            restored[number] = checkpoint
        await commit(cluster, {number: restored[number].input or 0 for number in numbers})  # 8
        if refusal := await running_workers(cluster):
            raise RestoreError(refusal)
        for number in numbers:  # 9
            await write(producer, topics.changelog, number, [_checkpoint(restored[number], epochs[number])])


async def _write_lines(
    cluster: Cluster, path: Path, planned: Plan, producer: Any, report: Callable[[str], None]
) -> dict[int, int]:
    """Write what the lines of the backup hold, but for the deployments. Returns the epoch of each partition."""
    topics, optional = cluster.topics, _optional(cluster)
    epochs, now, tickets, events = dict[int, int](), 0, 0, 0
    waiting: dict[tuple[str, int], list[Record]] = {}

    async def put(topic: str, partition: int, record: Record) -> None:
        together = waiting.setdefault((topic, partition), [])
        together.append(record)
        if len(together) >= _TOGETHER:
            await write(producer, topic, partition, together)
            together.clear()
            report(f"{tickets:,} of {many(planned.summary.tickets, 'ticket')}")

    for line in read_backup(path):
        match line:
            case Partition(partition, epoch):
                now, epochs[partition] = partition, epoch + 1
            case Ticket(key, state):
                tickets += 1
                await put(topics.changelog, now, Record(key, state, _headers(epochs[now])))
            case Event(partition, key, value) if not planned.same_input:
                events += 1
                await put(topics.events, partition, Record(key, value, []))
            case Stored(topic, key, value) if topic in planned.fills:
                if not planned.same_input and topic == _WRITEBACK:
                    value = _without_offsets(value)
                await put(optional[topic], 0, Record(key, value, []))
    for (topic, partition), records in waiting.items():
        await write(producer, topic, partition, records)
    report(f"{many(tickets, 'ticket')}, {many(events, 'event')}")
    return epochs


_WRITEBACK: Final = "writeback-state"
_record: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _optional(cluster: Cluster) -> dict[str, str]:
    """Names of topics without and with the topic prefix."""
    topics = cluster.topics
    return {name.removeprefix(topics.prefix): name for name in (topics.feed_state, topics.notify_state, topics.writeback_state)}


def _without_offsets(value: bytes) -> bytes:
    """A record of ``stream.writeback.record``, that has taken nothing of the outputs of another cluster.

    One that cannot be read stays as it is: write-back begins anew with its ticket.
    """
    try:
        record = _record(value)
    except (ValueError, RecursionError):
        return value
    record.pop("offsets", None)
    return msgspec.json.encode(record)


def _effects(cluster: Cluster) -> tuple[str, str]:
    return cluster.topics.breaches, cluster.topics.escalations


async def _ends(consumer: Any, topic: str, partitions: int) -> dict[int, int]:
    tps = [TopicPartition(topic, number) for number in range(partitions)]
    return {tp.partition: end for tp, end in (await consumer.end_offsets(tps)).items()}


def _headers(epoch: int) -> list[tuple[str, bytes]]:
    return [(EPOCH, b"%d" % epoch)]


def _checkpoint(checkpoint: Checkpoint, epoch: int) -> Record:
    return Record(CHECKPOINT_KEY, encode_checkpoint(checkpoint), _headers(epoch))
