"""The changelog of a partition: whose each record is, so that a worker that was replaced cannot put a ticket back.

The changelog is not transactional (``docs/internals/adr``), so a worker that was stopped, replaced and woken up
may still append a state that is older than what stands before it. Three things make it harmless:

* Each owner has an *epoch*, higher than that of all before it, in a header of each record. It begins one before its first
  unit of work and after each rebalance. Restoring a table ignores a record whose epoch is lower than one that came before
  (``stream.runtime.recovery.store``).
* An owner knows at which offset its next record comes to stand. Comes it later, then somebody else has written in
  between: the owner reads whose tickets those are and writes them once more. If it was a later owner, this one ends.
* The *checkpoint* (``stream.runtime.recovery.checkpoint``) holds how far the feed and the outputs were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiokafka.structs import TopicPartition

from stream.runtime.kafka.groupless import records_between, started
from stream.runtime.kafka.transport import Record
from stream.runtime.recovery.checkpoint import (
    CHECKPOINT_KEY,
    EPOCH,
    Checkpoint,
    decode_checkpoint,
    encode_checkpoint,
    epoch_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stream.runtime.kafka.clients import Clients
    from stream.runtime.kafka.transport import Producer
    from stream.runtime.recovery.store import Store


class Changelog:
    """Writes the changelog of a partition as its owner."""

    def __init__(self, clients: Clients, topic: str, partition: int, producer: Producer, store: Store) -> None:
        self._clients: Final = clients
        self._tp: Final = TopicPartition(topic, partition)
        self._producer: Final = producer
        self._store: Final = store
        self._tickets: Final = store.of(partition)
        self._epoch = 0
        self._headers: list[tuple[str, bytes]] = []
        self._next: int | None = None
        """Offset of the next record; ``None``: not known."""
        self._written = Checkpoint()

    def found(self) -> Checkpoint | None:
        """The checkpoint that was restored with the tickets; ``None``: nobody has owned the partition before.

        Raises NewerReleaseError.
        """
        checkpoint = self._store.checkpoint(self._tp.partition)
        return None if checkpoint is None else decode_checkpoint(checkpoint, self._tp.partition)

    async def begin(self, generation: int, checkpoint: Checkpoint) -> None:
        """Take over, with this checkpoint: from here on records of those who had the partition before are old.

        ``generation``: of the consumer group, 1 or more, which rises with each rebalance while the group exists. The caller
        must have proved that it was the current one after the tickets were restored. The epoch is the sum of the highest one
        that the changelog has shown and the generation, so of two workers that restored the same records, the one of the later
        generation has the higher epoch. The generation alone is not sufficient: it begins at 1 again after the group was
        forgotten or a backup was restored on another cluster.

        Does nothing when another rebalance has made the store let go of the tickets: what it knew of the partition went with
        them. Raises ``aiokafka.errors.KafkaError``, RuntimeError when another worker owns the partition, and ValueError for a
        generation below 1, which would not raise the epoch.
        """
        if generation < 1:
            raise ValueError(f"the generation {generation} of the consumer group is not one of a member")
        number = self._tp.partition
        if not self._store.holds(number, self._tickets):
            return
        self._epoch = self._store.epoch(number) + generation
        self._headers = [(EPOCH, b"%d" % self._epoch)]
        self._next = self._store.reached(number) + 1
        self._written = checkpoint
        self._store.begin_epoch(number, self._epoch)
        await self._append([*self._again(self._store.outdated(number)), self._checkpoint()])

    async def write(self, changes: Mapping[bytes, bytes | None], checkpoint: Checkpoint) -> None:
        """Write tickets as they are now, ``None`` for those that are forgotten; return when all replicas have them.

        Raises ``aiokafka.errors.KafkaError``, and RuntimeError when another worker owns the partition.
        """
        records = [Record(key, value, self._headers) for key, value in changes.items()]
        if records or checkpoint != self._written:
            self._written = checkpoint
            await self._append([*records, self._checkpoint()])

    async def _append(self, records: list[Record]) -> None:
        while records:
            expected = self._next
            last = await self._producer.write(self._tp.topic, self._tp.partition, records)
            if last is None:
                self._next = None
                return
            if not self._store.holds(self._tp.partition, self._tickets):
                return  # to another rebalance, after which they are restored from the beginning
            self._store.written(self._tp.partition, last)
            self._next = last + 1
            foreign = expected is not None and last + 1 - expected > len(records)
            records = self._again(await self._keys_between(expected, last + 1)) if foreign and expected is not None else []

    def _again(self, keys: Iterable[bytes]) -> list[Record]:
        tickets = self._tickets
        return [Record(key, tickets[key], self._headers) for key in sorted(keys) if key in tickets]

    def _checkpoint(self) -> Record:
        return Record(CHECKPOINT_KEY, encode_checkpoint(self._written), self._headers)

    async def _keys_between(self, first: int, end: int) -> set[bytes]:
        """Keys of the records there that are not ours. Raises RuntimeError when they are of a later owner: we are none."""
        keys = set()
        async with started(self._clients.reader("breachwatch-changelog")) as consumer:
            async for record in records_between(consumer, {self._tp: (first, end)}):
                epoch = epoch_of(record)
                if epoch > self._epoch:
                    raise RuntimeError(f"another worker has partition {self._tp.partition}, since epoch {epoch}")
                if epoch < self._epoch:
                    keys.add(record.key)
        return keys
