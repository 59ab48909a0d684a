"""An installation on its cluster, for commands that work on what its workers store while none of them may run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import GroupCoordinatorNotAvailableError, GroupLoadInProgressError, for_code
from aiokafka.structs import TopicPartition

from stream.runtime.kafka.groupless import records_between, started
from stream.runtime.kafka.topic_admin import admin_client
from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, Checkpoint, decode_checkpoint, epoch_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    from stream.runtime.kafka.topics import Topics

_ATTEMPTS: Final = 60
_PAUSE: Final = 0.5
"""Seconds."""
_STOPPED: Final = ("Empty", "Dead")
"""States of a consumer group without members."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The installation on its cluster."""

    bootstrap: str
    topics: Topics
    client: Mapping[str, Any]
    """Arguments of an aiokafka client, the address included."""


@dataclass(slots=True)
class StoredPartition:
    """A partition of the changelog, read to its end."""

    tickets: dict[bytes, bytes] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None
    epoch: int = 0

    def take(self, record: Any) -> None:
        """By the rule of ``stream.runtime.recovery.store``: a record of an older epoch than one before it does not count."""
        epoch = epoch_of(record)
        if epoch < self.epoch and (record.key in self.tickets or record.key == CHECKPOINT_KEY):
            return
        self.epoch = max(self.epoch, epoch)
        if record.key == CHECKPOINT_KEY:
            self.checkpoint = decode_checkpoint(record.value, record.partition)
        elif record.value is None:
            self.tickets.pop(record.key, None)
        else:
            self.tickets[record.key] = record.value


async def running_workers(cluster: Cluster) -> str:
    """Why workers count as running; empty: none does. Raises ``aiokafka.errors.KafkaError``."""
    group = cluster.topics.group
    async with admin_client(cluster.bootstrap, cluster.client) as admin:
        state = await _state(admin, group)
    if state in _STOPPED:
        return ""
    return (
        f"the group {group} has workers (it is {state}): stop all of them, then run this again; one that has died counts "
        "until its session_timeout is over"
    )


async def _state(admin: Any, group: str) -> str:
    """The state of a consumer group. A broker that has just started, or has never had a group, needs a moment to know it."""
    for attempt in range(_ATTEMPTS):
        try:
            (answer,) = await admin.describe_consumer_groups([group])
            (code, _, state, *_), *_ = answer.groups
            if code:
                raise for_code(code)(f"the group {group} cannot be described")
        except (GroupCoordinatorNotAvailableError, GroupLoadInProgressError):
            if attempt == _ATTEMPTS - 1:
                raise
            await asyncio.sleep(_PAUSE)
        else:
            return str(state)
    raise AssertionError("the last attempt returns or raises")


async def stored_partitions(consumer: Any, topic: str, numbers: Iterable[int]) -> dict[int, StoredPartition]:
    """These partitions of a changelog. Raises NewerReleaseError."""
    tps = [TopicPartition(topic, number) for number in numbers]
    first, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    found = {tp.partition: StoredPartition() for tp in tps}
    async for record in records_between(consumer, {tp: (first[tp], end[tp]) for tp in tps}):
        found[record.partition].take(record)
    return found


def reading(cluster: Cluster, name: str) -> AbstractAsyncContextManager[Any]:
    """A started consumer of what is committed, without a group. ``name``: the end of its client id."""
    return started(
        AIOKafkaConsumer(
            **cluster.client,
            client_id=f"breachwatch-{name}",
            enable_auto_commit=False,
            isolation_level="read_committed",
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
    )


async def commit(cluster: Cluster, offsets: Mapping[int, int]) -> None:
    """Set the offsets of the workers' group in the input, by partition. It must have no members."""
    topic = cluster.topics.events
    consumer = AIOKafkaConsumer(**cluster.client, group_id=cluster.topics.group, enable_auto_commit=False)
    try:
        await consumer.start()
        consumer.assign([TopicPartition(topic, number) for number in offsets])
        await consumer.commit({TopicPartition(topic, number): offset for number, offset in offsets.items()})
    finally:
        await consumer.stop()
