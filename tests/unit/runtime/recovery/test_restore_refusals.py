"""A backup whose lines are whole, and whose checkpoints are not ones of it, is refused before the cluster is asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from stream.runtime.kafka.topics import Topics
from stream.runtime.recovery.backup_file import BackupError, BackupWriter, Head, Partition
from stream.runtime.recovery.cluster import Cluster
from stream.runtime.recovery.restore import _without_offsets, plan

if TYPE_CHECKING:
    from pathlib import Path

HEAD = Head(taken_at="2026-03-02T09:00:00Z", cluster="c", group="desk", input="ticket-events", partitions=2)


@pytest.mark.parametrize(
    ("number", "checkpoint", "problem"),
    [
        (0, b'{"watermark": "x"}', "a checkpoint that is none"),
        (0, b'{"more": ' + 5_000 * b"[" + 5_000 * b"]" + b"}", "not a line of a backup"),
        (0, b"[]", "a checkpoint that is none"),
        (2, b"{}", "other partitions than its 2"),
        (-1, b"{}", "other partitions than its 2"),
    ],
)
def test_a_checkpoint_that_is_not_one_of_the_backup_is_refused(
    tmp_path: Path, number: int, checkpoint: bytes, problem: str
) -> None:
    with (tmp_path / "backup.gz").open("wb") as file:
        writer = BackupWriter(file)
        writer.add(HEAD)
        writer.add(Partition(number, 1, msgspec.Raw(checkpoint)))
        writer.finish()
    nowhere = Cluster("127.0.0.1:1", Topics("desk", ""), {"bootstrap_servers": "127.0.0.1:1"})

    with pytest.raises(BackupError, match=problem):
        asyncio.run(plan(nowhere, tmp_path / "backup.gz"))


@pytest.mark.parametrize("value", [b"", b"no json", b"[1]", b'{"\xff": 1}', b'{"a": ' + 5_000 * b"[" + 5_000 * b"]" + b"}"])
def test_what_write_back_cannot_read_is_restored_as_it_is(value: bytes) -> None:
    assert _without_offsets(value) == value


def test_what_write_back_has_read_of_another_cluster_is_left_out() -> None:
    assert _without_offsets(b'{"policy":"desk","offsets":{"a/0":7},"at":5}') == b'{"policy":"desk","at":5}'
