"""The checkpoint of a partition: a record of its changelog, under a key that no ticket has, about the partition as a whole."""

from __future__ import annotations

from typing import Any, Final

import msgspec

CHECKPOINT_KEY: Final = b"\xff"
"""Record key of the checkpoint: not UTF-8, so not a ticket's."""
EPOCH: Final = "epoch"
"""Header of each changelog record: the epoch of the owner that wrote it."""


class Checkpoint(msgspec.Struct, frozen=True):
    """How far the feed and the outputs of a partition were when its tickets were written."""

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
    """When that came into the log (epoch microseconds); 0: not known."""
    since: int = 0
    """When the partition was first taken over (epoch microseconds): no event arrived for breachwatch before; 0: not known."""
    partitions: int = 0
    """How many partitions the tickets of all partitions were divided into; 0: not stated."""
    moving_to: int = 0
    """Into how many they are being divided anew (``stream.runtime.recovery.repartition``); 0: they are not."""


def epoch_of(record: Any) -> int:
    """The epoch of the worker that wrote a changelog record; 0: the record is older than epochs."""
    for name, value in record.headers:
        if name == EPOCH:
            return int(value)
    return 0
