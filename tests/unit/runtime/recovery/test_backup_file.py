from __future__ import annotations

import gzip
import json
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec
import pytest

from stream.runtime.recovery.backup_file import (
    BackupError,
    BackupWriter,
    Deployment,
    End,
    Event,
    Head,
    Line,
    Partition,
    Stored,
    Ticket,
    read_backup,
    verified,
)
from stream.runtime.recovery.checkpoint import Checkpoint, encode_checkpoint
from stream.wire.forms import NewerReleaseError

if TYPE_CHECKING:
    from pathlib import Path

LINES: list[Line] = [
    Head(taken_at="2026-03-02T09:00:00Z", cluster="c", group="eu.desk", input="eu.ticket-events", partitions=2),
    Partition(0, 4, msgspec.Raw(encode_checkpoint(Checkpoint(7, input=3)))),
    Ticket(b"desk/1", b"\x02\xff\x00"),
    Event(1, None, b"not an event"),
    Deployment(0, 5, b"\x01sla\xb7"),
    Stored("feed-state", b"desk/issues", b"{}"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "backup.jsonl.gz"
    with path.open("wb") as output:
        writer = BackupWriter(output)
        for line in LINES:
            writer.add(line)
        writer.finish()
    return path


def test_a_backup_is_read_as_it_was_written(file: Path) -> None:
    assert list(read_backup(file)) == LINES
    found = verified(file)
    assert (found.head, list(found.checkpoints)) == (LINES[0], [0])
    assert (found.tickets, found.events, found.deployments, found.stored) == (1, 1, 1, {"feed-state": 1})


def test_a_file_that_was_cut_short_anywhere_is_refused(file: Path) -> None:
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(BackupError):
            verified(file)


def test_a_file_without_its_last_lines_or_with_another_line_is_refused(file: Path) -> None:
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    other = lines[2].replace(b"Av8A", b"Av8B")
    assert other != lines[2]
    for changed in (lines[:-1], lines[:2], [], [*lines[:2], other, *lines[3:]], [*lines[:2], *lines[3:]]):
        file.write_bytes(gzip.compress(b"".join(changed)))
        with pytest.raises(BackupError, match=r"cut short|was changed"):
            verified(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}\n",
        b'{"kind":"ticket","key":"","state":""}\n',
        b'{"kind":"of another"}\n',
        b"\xff\n",
        b'{"kind":"\xff"}\n',
        b'{"kind":"backup","more":' + 5_000 * b"[" + 5_000 * b"]" + b"}\n",
        msgspec.json.encode(End(0, blake2b(digest_size=16).hexdigest())) + b"\n",
    ],
)
def test_another_file_is_not_a_backup(file: Path, content: bytes) -> None:
    for data in (content, gzip.compress(content)):
        file.write_bytes(data)
        with pytest.raises(BackupError, match=r"backup\.jsonl\.gz"):
            verified(file)


def test_a_backup_of_a_newer_form_is_refused_with_the_release_that_took_it(file: Path) -> None:
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    newer = json.dumps(json.loads(lines[0]) | {"form": 2, "release": "9.8.7"}).encode() + b"\n"
    file.write_bytes(gzip.compress(newer + b"".join(lines[1:])))

    with pytest.raises(NewerReleaseError, match=r"has form 2; breachwatch 9\.8\.7 wrote it"):
        verified(file)
