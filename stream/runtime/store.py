"""The table's storage: tickets in memory, by partition, with the changelog offset up to which they are complete.

Faust's own in-memory store keeps keys of partitions it has lost, and reads its own writes back at every rebalance,
because it does not know what it has. This one knows both. It holds bytes, which the garbage collector does not visit.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from faust.stores import memory

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
        self._tickets: dict[int, dict[bytes, bytes]] = {}
        self._offsets: dict[int, int] = {}
        self._renewed: set[int] = set()

    def of(self, partition: int) -> dict[bytes, bytes]:
        """Record key to state, of one partition. Changing it changes the store."""
        return self._tickets.setdefault(partition, {})

    def restore(self, partition: int, records: Iterable[Any]) -> None:
        """Take over changelog records, in the order of their offsets. Any bytes will do: it does not look inside."""
        tickets = self.of(partition)
        known = self._offsets.get(partition, -1)
        for record in records:
            if record.offset <= known or record.key is None:
                continue
            if record.value is None:
                tickets.pop(record.key, None)
            else:
                tickets[record.key] = record.value
            self._renewed.add(partition)
            self.written(partition, record.offset)

    def written(self, partition: int, offset: int) -> None:
        """The changelog up to and with ``offset`` is what this store holds."""
        if offset > self._offsets.get(partition, -1):
            self._offsets[partition] = offset

    def is_renewed(self, partition: int, tickets: dict[bytes, bytes]) -> bool:
        """Whether these tickets, once got by ``of``, were lost or changed by the changelog since ``taken_over``."""
        return partition in self._renewed or self._tickets.get(partition) is not tickets

    def taken_over(self, partition: int) -> None:
        """Whoever works on the partition knows its tickets as they are now."""
        self._renewed.discard(partition)

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
                self._offsets.pop(tp.partition, None)


def register() -> None:
    """Make ``store="breachwatch://"`` mean this class."""
    from faust.stores import STORES

    STORES.aliases[SCHEME] = f"{__name__}:Store"
