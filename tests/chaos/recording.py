"""All that a run left behind: what is in Kafka, and what was done to the workers' clocks. What the checker judges."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import TopicPartition

from stream.runtime.kafka.groupless import started
from tests.chaos.workload import PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.runtime.kafka.topics import Topics
    from tests.chaos.pace import Pace


class Stored(NamedTuple):
    """A record as it stands in Kafka."""

    topic: str
    partition: int
    offset: int
    written: int
    """When, by the clock of the machine: epoch microseconds."""
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @property
    def place(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}"


class Step(NamedTuple):
    """The clock of a worker was set, and set right again. Real instants and the step, all epoch microseconds."""

    began: int
    ended: int
    by: int


class Recording(NamedTuple):
    """Each list holds all partitions of a topic, each partition in the order of its offsets, as read committed."""

    events: list[Stored]
    breaches: list[Stored]
    escalations: list[Stored]
    rejected: list[Stored]
    changelog: list[Stored]
    committed: dict[int, int]
    """Input partition to the offset that the group has committed."""
    ends: dict[int, int]
    """Input partition to the offset of its end."""
    pace: Pace
    steps: list[Step]
    until: int
    """Everything that becomes true before this instant of the run's time must be there."""
    stopped: int
    """When the workers ended, in the run's time: later nothing can have been emitted."""
    history: int
    """Events of a ticket that workers kept."""
    deployments: tuple[Stored, ...] = ()
    """The log of deployments, void records too; empty where workers follow none."""
    calendars: Mapping[str, Any] = MappingProxyType({})
    """Of the policy files that were deployed, by the fingerprint of their set; those of the run's own file are left out."""
    feed_lag_limit: int = 0
    """How far the feed may be behind, microseconds."""


async def read_all(bootstrap: str, topics: tuple[str, ...], partitions: int = PARTITIONS) -> dict[str, list[Stored]]:
    """Every committed record of these topics, each of so many partitions."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False, check_crcs=True
    )
    async with started(consumer):
        tps = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        end = await consumer.end_offsets(tps)
        found: dict[str, list[Stored]] = {topic: [] for topic in topics}
        while any([await consumer.position(tp) < end[tp] for tp in tps]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    found[record.topic].append(_stored(record))
        return found


async def committed(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    """Partition of the topic to the offset that the group has committed; what was never committed is left out."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_ASK_MS)
    try:
        async with asyncio.timeout(_ASK_MS / 1_000):
            await admin.start()
            offsets = await admin.list_consumer_group_offsets(group)
    except GroupCoordinatorNotAvailableError:
        return {}  # a broker that has just started has no groups yet
    finally:
        await admin.close()
    return {tp.partition: found.offset for tp, found in offsets.items() if tp.topic == topic}


async def record(
    bootstrap: str,
    topics: Topics,
    calendars: Mapping[str, Any],
    *,
    pace: Pace,
    steps: list[Step],
    until: int,
    stopped: int,
    history: int,
) -> Recording:
    names = (topics.events, topics.breaches, topics.escalations, topics.rejected, topics.changelog)
    found = await read_all(bootstrap, names)
    deployments = (await read_all(bootstrap, (topics.policies,), 1))[topics.policies]
    events, breaches, escalations, rejected, changelog = (found[name] for name in names)
    return Recording(
        events,
        breaches,
        escalations,
        rejected,
        changelog,
        await committed(bootstrap, topics.group, topics.events),
        {number: max((one.offset + 1 for one in events if one.partition == number), default=0) for number in range(PARTITIONS)},
        pace,
        steps,
        until,
        stopped,
        history,
        tuple(deployments),
        calendars,
    )


def _stored(record: Any) -> Stored:
    written = record.timestamp * 1_000
    return Stored(record.topic, record.partition, record.offset, written, record.key, record.value, tuple(record.headers))


_ASK_MS: Final = 5_000
