"""The file that ``breachwatch backup`` writes: whole or not there, and for nobody else to read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from stream.cli import backup
from stream.cli.main import main
from stream.runtime.recovery.backup import NoBackupError
from stream.runtime.recovery.backup_file import Head

if TYPE_CHECKING:
    from pathlib import Path

HEAD = Head(taken_at="2026-03-02T09:00:00Z", cluster="c", group="desk", input="ticket-events", partitions=1)


def run(file: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> Result:
    async def back_up(_cluster: Any, writer: Any, *_: Any) -> None:
        writer.add(HEAD)
        if error is not None:
            raise error
        writer.finish()

    monkeypatch.setattr(backup, "back_up", back_up)
    return CliRunner().invoke(main, ["backup", str(file)])


def test_nobody_else_may_read_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "desk.gz"
    before = os.umask(0)
    try:
        assert run(file, monkeypatch).exit_code == 0
    finally:
        os.umask(before)

    assert [each.name for each in tmp_path.iterdir()] == ["desk.gz"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = run(tmp_path / "none/desk.gz", monkeypatch)

    assert failed.exit_code == 1
    assert f"the folder {tmp_path}/none does not exist: create it" in failed.output


def test_no_other_file_is_touched_and_a_backup_that_fails_leaves_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = tmp_path / "desk.gz", tmp_path / "desk.gz.part"
    file.write_bytes(b"the last one")
    other.write_bytes(b"of somebody else")

    failed = run(file, monkeypatch, NoBackupError("tickets are being moved"))

    assert (failed.exit_code, "tickets are being moved" in failed.output) == (1, True)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {
        "desk.gz": b"the last one",
        "desk.gz.part": b"of somebody else",
    }


@pytest.mark.parametrize("wrong", ["/dev/null", "missing/desk.gz"])
def test_what_is_not_a_file_is_not_replaced(wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(tmp_path / wrong, monkeypatch)

    assert found.exit_code == 1
    assert found.output.startswith(f"Error: {tmp_path / wrong}: ")
