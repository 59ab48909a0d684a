"""Topics in memory, as Kafka's brokers keep them: offsets, markers of transactions, and what each producer has written.

What is modelled follows Kafka's own rules:

* A record of a transaction can be read as committed only when the marker of its end is written, and no record behind the first
  record of an open transaction can be (the last stable offset). Markers take an offset each.
* Of each producer a partition remembers the epoch and the last sequence number. A lower epoch is refused. A batch that was
  written before is acknowledged and not written again. A gap is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Self
from zlib import crc32

from aiokafka.errors import InvalidProducerEpoch, NotLeaderForPartitionError, OutOfOrderSequenceNumber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stream.runtime.kafka.transport import Record

Headers = tuple[tuple[str, bytes], ...]


class Entry(NamedTuple):
    """A record as a consumer gets it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Epoch milliseconds."""
    key: bytes | None
    value: bytes | None
    headers: Headers


class Producer(NamedTuple):
    """Who writes: the id that the broker gave, and the epoch that it has under it."""

    id: int
    epoch: int


class Append(NamedTuple):
    """A batch to be written."""

    producer: Producer | None
    """``None``: a plain producer, of which nothing is remembered."""
    sequence: int
    """Number of the first record among all that the producer has written to this partition in its epoch."""
    transactional: bool
    records: list[Record]


class Written(NamedTuple):
    offset: int
    """Of the first record; -1: the batch was written before, and the partition does not know where any more."""
    timestamp: int


@dataclass
class _Known:
    epoch: int
    next: int = 0
    last: tuple[int, Written] = (-1, Written(-1, 0))
    """The batch that was written last: its sequence number, and where it is."""


@dataclass
class Partition:
    """One partition of one topic."""

    topic: str
    number: int
    entries: list[Entry | None] = field(default_factory=list)
    """By offset; ``None``: a marker."""
    hidden: set[int] = field(default_factory=set)
    """Offsets of records whose transaction was aborted."""
    open: dict[int, list[int]] = field(default_factory=dict)
    """Producer id to the offsets of the transaction that it has open here."""
    known: dict[int, _Known] = field(default_factory=dict)
    appended: list[Callable[[], None]] = field(default_factory=list)
    """Called once, when there is more to read."""

    _away: int = 0
    """How many times it has lost its leader and not yet got one."""
    _waiting: list[Callable[[], None]] = field(default_factory=list)

    def lead(self) -> Self:
        """Raises NotLeaderForPartitionError while it has no leader, as a client that asks for it learns."""
        if self._away:
            raise NotLeaderForPartitionError
        return self

    def when_led(self, action: Callable[[], None]) -> None:
        """Do this now, or when it has a leader again."""
        if self._away:
            self._waiting.append(action)
        else:
            action()

    def lose_leader(self) -> None:
        self._away += 1

    def gain_leader(self) -> None:
        self._away -= 1
        if not self._away:
            waiting, self._waiting = self._waiting, []
            for action in waiting:
                action()

    @property
    def end(self) -> int:
        """The offset of the next record."""
        return len(self.entries)

    @property
    def stable(self) -> int:
        """The offset up to which everything is decided: what a reader of committed records takes for the end."""
        return min((offsets[0] for offsets in self.open.values()), default=self.end)

    def append(self, batch: Append, now: int) -> Written:
        """Write the batch. Raises ``InvalidProducerEpoch`` and ``OutOfOrderSequenceNumber``, as the leader of it does."""
        producer = batch.producer
        if producer is not None:
            known = self.known.get(producer.id)
            if known is not None and producer.epoch < known.epoch:
                raise InvalidProducerEpoch
            if known is None or producer.epoch > known.epoch:
                known = self.known[producer.id] = _Known(producer.epoch)
            if batch.sequence < known.next:
                sequence, written = known.last
                return written if sequence == batch.sequence else Written(-1, now)
            if batch.sequence > known.next:
                raise OutOfOrderSequenceNumber
            known.next = batch.sequence + len(batch.records)
        written = Written(self.end, now)
        for record in batch.records:
            self._put(record, now)
        if producer is not None:
            self.known[producer.id].last = batch.sequence, written
            if batch.transactional:
                self.open.setdefault(producer.id, []).extend(range(written.offset, self.end))
        self._wake()
        return written

    def write_marker(self, producer: Producer, *, commit: bool) -> None:
        """Write the marker that ends the producer's transaction here. Its epoch counts from now on."""
        known = self.known.setdefault(producer.id, _Known(producer.epoch))
        if producer.epoch > known.epoch:
            self.known[producer.id] = _Known(producer.epoch)
        offsets = self.open.pop(producer.id, [])
        if not commit:
            self.hidden.update(offsets)
        self.entries.append(None)
        self._wake()

    def read(self, start: int, end: int, most: int) -> tuple[list[Entry], int]:
        """Committed records from ``start`` on, before ``end`` and at most so many, and the offset to go on from."""
        found: list[Entry] = []
        offset = start
        for offset in range(start, min(end, self.stable)):
            entry = self.entries[offset]
            if entry is not None and offset not in self.hidden:
                if len(found) == most:
                    return found, offset
                found.append(entry)
        return found, max(start, min(end, self.stable))

    def _put(self, record: Record, now: int) -> None:
        headers = tuple(record.headers)
        self.entries.append(Entry(self.topic, self.number, self.end, now, record.key, record.value, headers))

    def _wake(self) -> None:
        waiting, self.appended = self.appended, []
        for wake in waiting:
            wake()


class Log:
    """All topics, each with so many partitions."""

    def __init__(self, topics: Iterable[str], partitions: int) -> None:
        self._partitions = {(topic, number): Partition(topic, number) for topic in topics for number in range(partitions)}

    def all(self) -> list[Partition]:
        return list(self._partitions.values())

    def of(self, topic: str, partition: int) -> Partition:
        return self._partitions[topic, partition]

    def checksum(self) -> int:
        """Of all there is."""
        total = 0
        for partition in self._partitions.values():
            for entry in partition.entries:
                total = crc32(repr(entry).encode(), total)
        return total

    def committed(self, topic: str) -> list[Entry]:
        """All committed records of a topic, partition by partition."""
        return [
            entry
            for partition in self._partitions.values()
            if partition.topic == topic
            for entry in partition.read(0, partition.end, partition.end)[0]
        ]
