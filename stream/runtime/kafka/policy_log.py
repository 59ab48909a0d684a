"""The topic of deployments: read it to its end, and append one record to it.

Plain aiokafka clients without a group. Each call makes its own, so that any event loop will do.

To deploy (``PolicyLog.deploy``):

1. Somebody has read the log and planned a record against its last valid one.
2. The record is appended, once: all replicas in sync have it, and a retry of the client is not another record.
3. The log is read on up to the record. It is valid, or another came first and it is void. Everybody finds the same.

If a process or broker dies between 2 and 3, or no answer comes, the record may be in the log or not. Whoever deploys the same
files again finds out: they are in force, or they are not.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import TopicPartition

from stream import __version__
from stream.deployments.log import Log, Reason, Void
from stream.deployments.record import FIRST, DeploymentKind, encode_record, new_record
from stream.runtime.kafka.denied import Operation, ResourceKind, needing
from stream.runtime.kafka.groupless import records_between, started
from stream.wire.forms import NewerReleaseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from stream.deployments.log import Entry
    from stream.deployments.record import DeploymentRecord
    from stream.runtime.kafka.topics import Topics
    from stream.sla.policy.resolve import PolicySet

_FETCH_BYTES: Final = 16 * 1024 * 1024
_INPUT: Final = "input"
"""Header of a record: the input topic of the installation whose log this is."""
WAIT_MS: Final = 500
_ANEW: Final = "stop all workers, delete the topic, run `breachwatch topics create`, and import again"


class LogRecord(NamedTuple):
    """A record as it is in the topic: the arguments of ``Log.add``."""

    offset: int
    value: bytes | None
    appended: int
    """By the broker's clock, epoch microseconds."""


class PolicyLogError(Exception):
    """The log of deployments cannot be used. Starting again does not help: the text gives the remedy."""


class LogCutError(PolicyLogError):
    """Records of the log are gone: it does not begin at 0 any more, or ends before a place that somebody has seen."""


class NotEmptyError(PolicyLogError):
    """A log is imported into a topic that has records."""


class ForeignLogError(PolicyLogError):
    """The log belongs to an installation that reads another input."""


class NewerLogError(PolicyLogError, NewerReleaseError):
    """There is a record that only a newer release can read."""


@dataclass(frozen=True, slots=True)
class ReadLog:
    """The log of deployments up to its end."""

    log: Log
    values: Mapping[int, bytes]
    """The valid records, by number."""
    void: tuple[Void, ...]
    end: int
    """The offset after the last record: a ``Tail`` goes on from here."""


class PolicyLog:
    """The topic of one installation. Every method raises ``aiokafka.errors.KafkaError`` while the broker is away."""

    def __init__(self, client: Mapping[str, Any], topics: Topics) -> None:
        """``client``: arguments of an aiokafka client (``stream.runtime.kafka.connection``)."""
        self.topic: Final = topics.policies
        self.partition: Final = TopicPartition(self.topic, 0)
        self._client: Final = dict(client)
        self._input: Final = topics.events

    async def read(self) -> ReadLog:
        """The whole log. Raises LogCutError, ForeignLogError, NewerLogError."""
        async with self.consumer() as consumer:
            (begin,) = (await consumer.beginning_offsets([self.partition])).values()
            if begin:
                raise LogCutError(self.cut(f"begins at offset {begin}"))
            (end,) = (await consumer.end_offsets([self.partition])).values()
            return self._apply_all([record async for record in self._records(consumer, 0, end)], end)

    async def append(self, record: DeploymentRecord) -> int:
        """Append a record, once; its offset. Whether it is valid is another question.

        Raises RecordError for one that is too large, and KafkaError: a timeout leaves open whether it is in the log.
        """
        value = encode_record(record)
        async with self._producer() as producer:
            placed = await self._send(producer, value)
        return int(placed.offset)

    async def restore(self, values: Sequence[bytes]) -> ReadLog:
        """Append the records of an exported log to an empty topic; the log as it is then.

        1. The topic must be empty: no offset was ever given in it.
        2. The records are appended one after another. Each must get the offset that is its number; the first that does not is
           void, because another record is in its place, and nothing more is appended.

        Raises NotEmptyError, and as ``read`` does. After a KafkaError some records may be in the topic: it must be made anew.
        """
        async with self.consumer() as consumer:
            (end,) = (await consumer.end_offsets([self.partition])).values()
        if end:
            raise NotEmptyError(f"the log of deployments (topic {self.topic}) is not empty: it has {end} records; {_ANEW}")
        async with self._producer() as producer:
            for number, value in enumerate(values):
                placed = await self._send(producer, value)
                if placed.offset != number:
                    raise NotEmptyError(
                        f"somebody else has deployed while the log was imported: record {number} got offset {placed.offset}; "
                        + _ANEW
                    )
        return await self.read()

    async def _send(self, producer: Any, value: bytes) -> Any:
        with needing(Operation.WRITE, ResourceKind.TOPIC, self.topic):
            return await producer.send_and_wait(self.topic, value, partition=0, headers=[(_INPUT, self._input.encode())])

    @asynccontextmanager
    async def _producer(self) -> AsyncIterator[Any]:
        producer = AIOKafkaProducer(
            **self._client,
            client_id="breachwatch-deploy",
            enable_idempotence=True,
            acks="all",
            max_request_size=_FETCH_BYTES,
        )
        try:
            await producer.start()
            yield producer
        finally:
            await producer.stop()

    async def deploy(self, record: DeploymentRecord) -> tuple[Entry | Void, ReadLog]:
        """Append a record and read the log: the record as it is there, valid or void, and the whole log.

        Raises as ``append`` and ``read`` do.
        """
        offset = await self.append(record)
        now = await self.read()
        found: Entry | Void | None = now.log.entries.get(offset)
        found = found or next((void for void in now.void if void.offset == offset), None)
        if found is None:
            raise LogCutError(self.cut(f"does not have the record that was just appended at offset {offset}"))
        return found, now

    @asynccontextmanager
    async def consumer(self) -> AsyncIterator[Any]:
        """A consumer of the topic that stands nowhere yet."""
        consumer = AIOKafkaConsumer(
            **self._client,
            client_id="breachwatch-policies",
            enable_auto_commit=False,
            # What a writer began and took back is in the log as well, for all who read it: nothing but the bytes counts.
            isolation_level="read_uncommitted",
            auto_offset_reset="none",
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=WAIT_MS,
        )
        async with started(consumer):
            consumer.assign([self.partition])
            yield consumer

    async def _records(self, consumer: Any, offset: int, end: int) -> AsyncIterator[LogRecord]:
        try:
            async for record in records_between(consumer, {self.partition: (offset, end)}):
                yield self.taken(record)
        except OffsetOutOfRangeError as error:
            raise LogCutError(self.cut(f"does not have offset {offset} any more")) from error

    def taken(self, record: Any) -> LogRecord:
        """A record that a consumer has fetched. Raises ForeignLogError.

        A topic prefix and an app id may give the names of another prefix and another app id. Every worker and every command
        reads this log before it does anything else, so an installation finds out here that the names are another's.
        """
        belongs_to = dict(record.headers).get(_INPUT, self._input.encode()).decode("utf-8", "replace")
        if belongs_to != self._input:
            raise ForeignLogError(
                f"the log of deployments (topic {self.topic}) belongs to an installation that reads {belongs_to}, and this one "
                f"reads {self._input}: their topic prefix and app id together give the same names; choose another --app-id"
            )
        return LogRecord(record.offset, record.value, record.timestamp * 1_000)

    def _apply_all(self, records: list[LogRecord], end: int) -> ReadLog:
        deployed, values, void = Log(), dict[int, bytes](), list[Void]()
        for each in records:
            result = deployed.add(*each)
            if isinstance(result, Void):
                if result.reason is Reason.NEWER_FORM:
                    raise NewerLogError(newer(result))
                void.append(result)
            elif each.value is not None:
                values[each.offset] = each.value
        return ReadLog(deployed, values, tuple(void), end)

    def cut(self, what: str) -> str:
        """A report of a log that has lost records."""
        return (
            f"the log of deployments (topic {self.topic}) {what}: records were deleted, or the address of the brokers "
            "leads to another cluster; check the address; if it is right, what was in force is not known: start under a new "
            "--app-id, and deploy there"
        )


async def deploy_first(policy_log: PolicyLog, found: ReadLog, policies: PolicySet, at: int) -> ReadLog:
    """Deploy a set where nothing was ever deployed; the log as it is then, with one valid deployment at least.

    For workers that are given files. Of several that do this at once, one wins, and all go by its deployment.
    ``found``: the log as it was just read. ``at``: now, epoch microseconds. Raises as ``PolicyLog.deploy`` does, and
    SnapshotError for a set that is too large.
    """
    if found.log.last is not None:
        return found
    first = new_record(FIRST, at, DeploymentKind.DEPLOY, policies, note="the first, by a worker that was given files")
    return (await policy_log.deploy(first))[1]


def newer(void: Void) -> str:
    """A report of a record that only a newer release can read."""
    return f"{void.text}; a newer breachwatch wrote it, and this is {__version__}: run `pip install --upgrade breachwatch`"
