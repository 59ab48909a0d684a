"""Deployments as a file: what comes back, and what is refused with its line."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from stream.deployments.export import ExportError, export_line, read_export, read_export_log, read_export_records
from stream.deployments.log import Added, Log, Reason
from stream.deployments.record import FORM, DeploymentKind, encode_record, new_record
from stream.deployments.snapshot import normal_form
from tests.unit.deployments.sets import HOUR, START, target_of, with_target, written

if TYPE_CHECKING:
    from pathlib import Path


def lines() -> list[bytes]:
    """An export of two deployments; the record between them was void."""
    log = Log()
    exported = []
    for number, value in ((3, written(-1, START, "4h")), (5, written(3, START + HOUR, "2h"))):
        added = log.add(number, value, START + number)
        assert isinstance(added, Added)
        exported.append(export_line(added.entry, value))
    return exported


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "deployments.jsonl"
    path.write_bytes(b"".join(lines()))
    return path


def test_deployments_come_back_with_their_numbers_and_sets(file: Path) -> None:
    deployments = read_export(file)

    assert [(each.number, target_of(each.policies)) for each in deployments.timeline.deployments] == [(3, "4h"), (5, "2h")]
    assert normal_form(deployments.timeline.last.policies) == normal_form(with_target("2h"))
    assert [entry.appended for entry in read_export_log(file).entries.values()] == [START + 3, START + 5]


def test_records_that_are_imported_have_the_numbers_and_instants_that_they_had(file: Path) -> None:
    imported, void = Log(), 0
    for _ in range(2):  # what was imported can be exported and imported again
        imported, exported, void = Log(), [], 0
        for number, value in enumerate(read_export_records(file)):
            added = imported.add(number, value, START + 999)
            if isinstance(added, Added):
                exported.append(export_line(added.entry, value))
            else:
                assert added.reason is Reason.OVERTAKEN
                void += 1
        file.write_bytes(b"".join(exported))

    assert [(entry.number, entry.appended) for entry in imported.entries.values()] == [(3, START + 3), (5, START + 5)]
    assert void == 4
    assert imported.deployments is not None
    assert target_of(imported.deployments.timeline.last.policies) == "2h"


def test_a_line_shows_people_what_is_in_the_record() -> None:
    value = encode_record(new_record(-1, START, DeploymentKind.DEPLOY, with_target("4h"), by="desk-lead", note="first"))
    added = Log().add(3, value, START + 1_000_000)
    assert isinstance(added, Added)

    shown = json.loads(export_line(added.entry, value))

    assert shown.pop("record") == b64encode(value).decode()
    assert shown == {
        "number": 3,
        "after": -1,
        "at": None,
        "kind": "deploy",
        "by": "desk-lead",
        "note": "first",
        "fingerprint": added.entry.fingerprint,
        "appended": "2027-01-01T09:00:01Z",
    }


def test_a_gzipped_export_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "deployments.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(lines())))
    assert read_export(path).timeline.last.number == 5


def test_a_gzipped_export_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deployments.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(lines()))[:-20])
    with pytest.raises(ExportError, match="damaged or cut short"):
        read_export(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "there is no deployment in it"),
        (b"policies: []\n", r":1: not a line of an export"),
        (lines()[1], r":1: record 5 .* follows 3"),
        (lines()[0] * 2, r":2: deployment 3 does not follow deployment 3"),
        (
            lines()[0] + b'{"number": 4, "appended": "2027-01-01T09:00:00Z", "record": "AXNsYbc="}\n',
            ":2: record 4 .* is damaged",
        ),
        (
            b'{"number": 4, "appended": "2027-01-01T09:00:00Z", "record": "%s"}\n'
            % b64encode(bytes([FORM + 1]) + written(-1, START, "4h")[1:]),
            r":1: record 4 .* form 2, and this release reads forms up to 1",
        ),
    ],
)
def test_anything_else_is_refused_with_its_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "deployments.jsonl"
    path.write_bytes(content)
    with pytest.raises(ExportError, match=message):
        read_export(path)
