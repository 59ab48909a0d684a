"""The positions up to which the input of a worker is delivered and finished. Only this file decides what may be committed."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from faust.types import TP

    from stream.wire.decode import Rejected

NO_TIMESTAMP: Final = -1
"""The timestamp of a record that has none, as in Kafka's own clients."""


class Marker:
    """Stands as the value of a record for offsets that bring no event; ``stream.runtime.kafka.input_records``."""

    __slots__ = ("first", "refused")

    def __init__(self, first: int, refused: Rejected | None = None) -> None:
        self.first: Final = first
        """It stands for the offsets from this one up to that of its record."""
        self.refused: Final = refused
        """Why the records there are refused; ``None``: there are none."""

    def __len__(self) -> int:
        return 0


SLICE: Final = 100
"""Records of a batch that are unpacked at once: few enough to be in a cache when they are processed. aiokafka uses the memory
of as many records again."""


class Batch:
    """The result of one fetch from one partition of ``ticket-events``. It can be gone through once."""

    def __init__(self, records: Iterable[Any], after: int | None, end: int) -> None:
        """``records``: as ``ConsumerRecord`` of aiokafka, with key, value, offset, timestamp (epoch milliseconds, or
        ``NO_TIMESTAMP``) and headers."""
        self.after: Final = after
        """``end`` of the batch before it; ``None``: it is the first since the position was set."""
        self.end: Final = end
        """The offset of the next record to read: what to commit once this batch is finished.

        Where the records do not reach it, or do not begin where the batch before ended, records are gone.
        """
        self._rest: Final = iter(records)
        self.records: list[Any] = list(islice(self._rest, SLICE))
        """The slice in hand, which is the last one once all are taken. Empty: there is nothing left to read."""

    def unpack(self) -> bool:
        """Go on to the next slice, if there is one. Raises ``aiokafka.errors.CorruptRecordException``."""
        following = list(islice(self._rest, SLICE))
        if following:
            self.records = following
        return bool(following)


class Positions:
    """Offsets by input partition, since the positions were last set. Each is that of the next record."""

    def __init__(self) -> None:
        self.delivered: dict[TP, int] = {}
        self.finished: dict[TP, int] = {}

    def deliver(self, tp: TP, records: Iterable[Any], end: int) -> Batch:
        """A batch of what was fetched before the offset ``end``. No records: there is nothing left to read before it."""
        batch = Batch(records, self.delivered.get(tp), end)
        self.delivered[tp] = end
        return batch

    def finish(self, tp: TP, batch: Batch) -> None:
        """Everything up to the end of this batch is done and durable: it may be committed.

        Raises RuntimeError when a batch between was left out, for then committing would lose it.
        """
        before = self.finished.get(tp)
        if before is not None and batch.after is not None and batch.after != before:
            raise RuntimeError(f"{tp} was finished up to {before}, and now comes a batch that follows {batch.after}")
        self.finished[tp] = batch.end

    def to_commit(self, owned: Collection[TP], committed: Mapping[TP, int | None]) -> dict[TP, int]:
        """The offsets of these partitions that are finished and not committed."""
        return {tp: end for tp, end in self.finished.items() if tp in owned and end != committed.get(tp)}

    def forget(self) -> None:
        """Positions are set anew."""
        self.delivered.clear()
        self.finished.clear()
