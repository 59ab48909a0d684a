"""The checkpoint of a partition: a record of its changelog, under a key that no ticket has, about the partition as a whole."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from stream import __version__
from stream.sla.feed_health import Feed
from stream.wire.forms import check_form

CHECKPOINT_KEY: Final = b"\xff"
"""Record key of the checkpoint: not UTF-8, so not a ticket's."""
FORM: Final = 1
"""Of the changelog of a partition: of its checkpoint, and of the tickets in it (layouts 2 and 3). A change after which an older
release would misread either raises it, so that such a release learns of it before it takes a partition over."""
EPOCH: Final = "epoch"
"""Header of each changelog record: the epoch of the owner that wrote it."""


MOST_GAPS: Final = 16


class Gap(msgspec.Struct, frozen=True):
    """Records of the input that were gone before they were read."""

    first: int
    end: int
    """Offsets: from the first up to and without this one."""
    since: int
    """The newest instant that the feed had shown before (epoch microseconds)."""
    found_at: int
    """The clock (epoch microseconds)."""


def with_gap(gaps: tuple[Gap, ...], gap: Gap) -> tuple[Gap, ...]:
    """These gaps and one more, as ``MOST_GAPS`` at most. Gaps between which the feed showed nothing newer are one."""
    if gaps and gaps[-1].since == gap.since:
        return (*gaps[:-1], msgspec.structs.replace(gaps[-1], end=gap.end, found_at=gap.found_at))
    if len(gaps) == MOST_GAPS:
        # What followed the second one is doubted as what followed the first: rather too much than too little.
        gaps = (msgspec.structs.replace(gaps[0], end=gaps[1].end, found_at=gaps[1].found_at), *gaps[2:])
    return (*gaps, gap)


class Checkpoint(msgspec.Struct, frozen=True):
    """The progress of the feed and the outputs of a partition when its tickets were written."""

    watermark: int = 0
    """The newest instant the feed has shown, epoch microseconds; 0: none."""
    outputs: dict[str, int] = {}
    """Output topic to the offset from which on it may hold what the tickets here do not know of;
    ``stream.runtime.recovery.output_recovery``."""
    swept: int = 0
    """Every ticket was woken after this deployment; ``stream.runtime.partition.sweep``."""
    deployed: int = 0
    """The newest deployment that the owner knew."""
    appended: int = 0
    """The time at which that was appended to the log (epoch microseconds); 0: not known."""
    since: int = 0
    """The time of the first takeover of the partition (epoch microseconds): no event arrived for breachwatch before; 0: not
    known."""
    partitions: int = 0
    """The number of partitions that the tickets of all partitions were divided into; 0: not stated."""
    moving_to: int = 0
    """Into how many they are being divided anew (``stream.runtime.recovery.repartition``); 0: they are not."""
    restoring: bool = False
    """The tickets are being restored (``stream.runtime.recovery.restore``)."""
    input: int | None = None
    """The offset of the next record of the input; ``None``: none was processed. Unlike the committed offset, no tool resets
    it."""
    gaps: tuple[Gap, ...] = ()
    """Records that were gone before they were read, the oldest first."""
    feeds: dict[str, Feed] = {}
    """The watched sources."""
    received: dict[str, int] = {}
    """The newest event of each source, epoch microseconds; ``stream.sla.feed_health``."""
    form: int = FORM
    release: str = ""
    """The one that wrote it; empty: one before 0.2.0, or it was not written yet."""

    def refusal(self, partition: int, partitions: int) -> str:
        """Why a worker may not take the partition over; empty: it may. ``partitions``: for how many the worker is set."""
        if self.moving_to:
            return (
                f"the tickets of partition {partition} are being moved to {self.moving_to} partitions: let `breachwatch topics "
                "repartition` finish, or run it again, before you start workers"
            )
        if self.restoring:
            return (
                f"the tickets of partition {partition} are being restored: let `breachwatch restore` finish before you start "
                "workers; if it has failed, delete the changelog, run `breachwatch topics create`, and restore again"
            )
        if self.partitions not in (0, partitions):
            return (
                f"partition {partition} has tickets divided into {self.partitions} partitions, and this worker is set to "
                f"{partitions}: set BREACHWATCH_PARTITIONS={self.partitions}; if the input has got more, stop all workers and "
                "run `breachwatch topics repartition`"
            )
        return ""

    def shortened(self, end: int, found_at: int) -> Checkpoint:
        """With a gap where the input ends (offset ``end``) before what was read of it: its end, or the topic, was deleted.

        ``found_at``: the clock, epoch microseconds.
        """
        if self.input is None or end >= self.input:
            return self
        gap = Gap(end, self.input, self.watermark, found_at)
        return msgspec.structs.replace(self, input=end, gaps=with_gap(self.gaps, gap))


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Its bytes, by this release."""
    return msgspec.json.encode(msgspec.structs.replace(checkpoint, form=FORM, release=__version__))


def decode_checkpoint(value: bytes, partition: int) -> Checkpoint:
    """The checkpoint. Raises NewerReleaseError for one of a newer form, msgspec.DecodeError for what is not one."""
    check_form(value, FORM, f"the changelog of partition {partition}")
    return msgspec.json.decode(value, type=Checkpoint)


def epoch_of(record: Any) -> int:
    """The epoch of the worker that wrote a changelog record; 0: the record is older than epochs."""
    for name, value in record.headers:
        if name == EPOCH:
            return int(value)
    return 0
