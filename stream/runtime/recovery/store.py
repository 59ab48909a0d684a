"""The table's storage: tickets in memory, by partition, with the changelog offset up to which they are complete.

Faust's own in-memory store keeps keys of partitions it has lost, and reads its own writes back at every rebalance,
because it does not know what it has. This one knows both. It holds bytes, which the garbage collector does not visit.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from faust.stores import memory

from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, epoch_of
from stream.runtime.recovery.tickets import Tickets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faust.types import TP, EventT

SCHEME: Final = "breachwatch"
"""Faust finds the class under this name; see ``register``."""


class Store(memory.Store):  # type: ignore[misc]  # Faust ships no types that mypy could follow
    """Tickets of the partitions that this worker owns.

    Reading and writing goes by partition (``of``). As a mapping, which Faust's tables can be used as, it is empty.
    """

    logger = logging.getLogger("faust.breachwatch")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._tickets: dict[int, Tickets] = {}
        self._offsets: dict[int, int] = {}
        self._renewed: set[int] = set()
        self._epochs: dict[int, int] = {}
        self._checkpoints: dict[int, bytes] = {}
        self._outdated: dict[int, set[bytes]] = {}

    def of(self, partition: int) -> Tickets:
        """Record key to state, of one partition. Changing it changes the store."""
        tickets = self._tickets.get(partition)
        if tickets is None:
            tickets = self._tickets[partition] = Tickets()
        return tickets

    def restore(self, partition: int, records: Iterable[Any]) -> None:
        """Take over changelog records, in the order of their offsets. Any bytes will do: it does not look inside.

        A record of an older epoch than one before it is by a worker that had been replaced: the state that is stored counts.
        """
        tickets, outdated = self.of(partition), self._outdated.setdefault(partition, set())
        reached, epoch = self._offsets.get(partition, -1), self.epoch(partition)
        headers, writer_epoch, renewed = None, 0, False
        for record in records:
            offset, key, value = record.offset, record.key, record.value
            if offset <= reached or key is None:
                continue
            reached = offset
            # Thousands of records in a row are by one owner.
            if record.headers != headers:
                headers, writer_epoch = record.headers, epoch_of(record)
            if writer_epoch < epoch and (key in tickets or key == CHECKPOINT_KEY):
                outdated.add(key)
                continue
            if writer_epoch > epoch:
                epoch = writer_epoch
            renewed = True
            if key == CHECKPOINT_KEY:
                self._checkpoints[partition] = value
                continue
            if outdated:
                outdated.discard(key)
            if value is None:
                tickets.drop(key)
            else:
                tickets[key] = value
        self._epochs[partition] = epoch
        self.written(partition, reached)
        if renewed:
            self._renewed.add(partition)

    def written(self, partition: int, offset: int) -> None:
        """The changelog up to and with ``offset`` is what this store holds."""
        if offset > self._offsets.get(partition, -1):
            self._offsets[partition] = offset

    def reached(self, partition: int) -> int:
        """The last changelog offset that this store holds; -1: none."""
        return self._offsets.get(partition, -1)

    @property
    def progress(self) -> int:
        """Another number whenever records were restored."""
        return sum(self._offsets.values())

    def epoch(self, partition: int) -> int:
        """The highest epoch the partition's changelog has shown."""
        return self._epochs.get(partition, 0)

    def begin_epoch(self, partition: int, epoch: int) -> None:
        """From here on, what the changelog brings of an older epoch is outdated."""
        self._epochs[partition] = epoch

    def checkpoint(self, partition: int) -> bytes | None:
        """The checkpoint that was restored with the tickets, encoded."""
        return self._checkpoints.get(partition)

    def outdated(self, partition: int) -> set[bytes]:
        """Tickets whose last record in the changelog is older than their state here: to be written again."""
        return self._outdated.get(partition, set())

    def holds(self, partition: int, tickets: Tickets) -> bool:
        """Whether these tickets, once got by ``of``, are still the partition's."""
        return self._tickets.get(partition) is tickets

    def is_renewed(self, partition: int, tickets: Tickets) -> bool:
        """Whether these tickets, once got by ``of``, or their checkpoint were lost or changed by the changelog since
        ``taken_over``: another worker has owned the partition."""
        return partition in self._renewed or not self.holds(partition, tickets)

    def taken_over(self, partition: int) -> None:
        """Whoever works on the partition knows its tickets as they are now, and has written what was outdated."""
        self._renewed.discard(partition)
        self._outdated.pop(partition, None)

    def persisted_offset(self, tp: TP) -> int | None:
        return self._offsets.get(tp.partition)

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        self.written(tp.partition, offset)

    def apply_changelog_batch(self, batch: Iterable[EventT], to_key: Any, to_value: Any) -> None:
        """Do nothing: every record Faust brings here was restored by the consumer before, with all that followed it.

        Applying it now would put an old state over a newer one.
        """

    async def on_rebalance(
        self,
        assigned: set[TP],  # noqa: ARG002  the signature is Faust's
        revoked: set[TP],
        newly_assigned: set[TP],  # noqa: ARG002
        generation_id: int = 0,  # noqa: ARG002
    ) -> None:
        """Forget the partitions that went to another worker, and only those."""
        changelog = self.table.changelog_topic_name
        for tp in revoked:
            if tp.topic == changelog:
                self._tickets.pop(tp.partition, None)
                for by_partition in (self._offsets, self._epochs, self._checkpoints, self._outdated):
                    by_partition.pop(tp.partition, None)


def register() -> None:
    """Make ``store="breachwatch://"`` mean this class."""
    from faust.stores import STORES

    STORES.aliases[SCHEME] = f"{__name__}:Store"
