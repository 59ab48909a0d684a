"""``breachwatch import`` as a person runs it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import stream.sources
from stream.cli.main import main

MAPPING = Path(stream.sources.__file__).parent / "mappings" / "volvo.yaml"
LOG = """\
timestamp,case_id,status,sub_status
2012-05-01 09:00:00,1-1,Queued,Awaiting Assignment
2012-05-01 09:30:00,1-2,Accepted,In Progress
2012-05-01 09:05:00,1-1,Accepted,In Progress
2012-05-01 10:00:00,1-1,Unmatched,Unmatched
2012-05-01 11:00:00,1-1,Accepted,Wait - Vendor
2012-05-01 12:00:00,1-1,Completed,Resolved
yesterday,1-1,Completed,Closed
2012-05-01 13:00:00,1-2,Accepted,In Progress
"""
SUMMARY = """\
refused for a status that the mapping refuses: 1 line
refused for a time that is not valid: 1 line
6 rows read, of which 1 change nothing; 2 lines refused
2 tickets of volvo, 10 events
        2 comment.added
        1 dependency.ended
        1 dependency.started
        4 ticket.changed
        2 ticket.created
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "log.csv"
    file.write_text(LOG)
    return file


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["import", *map(str, words)])


def test_events_go_to_standard_output_and_refusals_and_summary_to_standard_error(log: Path) -> None:
    done = run("--mapping", MAPPING, log)
    events = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.exit_code == 1
    assert len(events) == 10
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert done.stderr == (
        f"{log}:5: refused: 'Unmatched / Unmatched': has no meaning\n"
        f"{log}:8: refused: the time 'yesterday' is not in the format %Y-%m-%d %H:%M:%S\n{SUMMARY}"
    )


def test_refused_rows_are_a_failure_unless_they_are_allowed(log: Path) -> None:
    failed, allowed = run("--mapping", MAPPING, log), run("--mapping", MAPPING, "--allow-refused", log)

    assert (failed.exit_code, allowed.exit_code) == (1, 0)
    assert failed.stdout == allowed.stdout
    assert len(failed.stdout.splitlines()) == 10


def test_rows_that_the_mapping_refuses_are_a_failure_only_when_strict(log: Path) -> None:
    log.write_text(LOG.replace("yesterday", "2012-05-01 12:30:00"))

    assert run("--mapping", MAPPING, log).exit_code == 0
    assert run("--mapping", MAPPING, "--strict", log).exit_code == 1
    assert run("--mapping", MAPPING, "--strict", "--allow-refused", log).exit_code == 0


def test_a_log_without_refusals_passes_the_strict_import(log: Path) -> None:
    log.write_text("\n".join(LOG.splitlines()[:4]))

    assert run("--mapping", MAPPING, "--strict", log).exit_code == 0


def test_a_wrong_mapping_lists_some_rows_and_counts_the_statuses_it_lacks(log: Path) -> None:
    log.write_text(LOG.splitlines()[0] + "\n" + "2012-05-01 09:00:00,1-1,queued,Awaiting Assignment\n" * 300)
    done, full = run("--mapping", MAPPING, log), run("--mapping", MAPPING, log, "--list-refused")

    assert done.stderr.count("refused: the mapping has no meaning") == 20
    assert full.stderr.count("refused: the mapping has no meaning") == 300
    assert (
        "refused for a status that the mapping does not have: 300 lines; 280 are not listed: --list-refused lists them\n"
        "      300 'queued / Awaiting Assignment', did you mean `Queued / Awaiting Assignment`?\n"
    ) in done.stderr


def test_a_log_may_come_from_standard_input(log: Path) -> None:
    plain = run("--mapping", MAPPING, log)
    piped = CliRunner().invoke(main, ["import", "--mapping", str(MAPPING), "-"], input=log.read_bytes())

    assert (piped.exit_code, piped.stdout) == (1, plain.stdout)


def test_a_spreadsheets_export_states_its_delimiter_and_has_its_own_encoding(log: Path) -> None:
    plain = run("--mapping", MAPPING, log)
    log.write_bytes(("sep=;\r\n" + LOG.replace(",", ";").replace("\n", "\r\n")).encode("utf-16"))

    events = [{**json.loads(line), "id": ""} for line in run("--mapping", MAPPING, log).stdout.splitlines()]
    assert events == [{**json.loads(line), "id": ""} for line in plain.stdout.splitlines()]


def test_a_gzip_log_is_known_by_its_content_and_a_byte_order_mark_is_not_part_of_the_header(log: Path, tmp_path: Path) -> None:
    plain = run("--mapping", MAPPING, log).stdout
    zipped = tmp_path / "named-anything.csv"
    zipped.write_bytes(gzip.compress(b"\xef\xbb\xbf" + LOG.encode()))
    out = tmp_path / "events.jsonl"

    assert run("--mapping", MAPPING, zipped, "-o", out).exit_code == 1
    assert out.read_text() == plain


def test_a_gzip_log_that_is_cut_short_is_not_imported_in_part(log: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(LOG.encode())[:-12])
    done = run("--mapping", MAPPING, cut)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "damaged or cut short" in done.stderr


def test_all_problems_of_a_mapping_are_listed_before_anything_is_read(log: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "wrong.yaml"
    mapping.write_text("source: x\ncolumns: {at: a}\nstatuses: {Open: {status: opened}}\n")
    done = run("--mapping", mapping, log)

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        f"{mapping}:2: columns: `case` is missing\n"
        f"{mapping}:2: columns: `status` is missing\n"
        f"{mapping}:3: statuses.Open.status: `opened` is not a status:"
        " use one of closed, new, on_hold, open, pending, solved\n"
    )


def test_a_log_without_the_mapped_columns_is_an_error_that_shows_its_header(log: Path) -> None:
    log.write_text("timestamp;case_id;status;sub_status\n")
    done = run("--mapping", MAPPING, log)

    assert done.exit_code == 2
    assert "has no column 'timestamp', 'case_id', 'status', 'sub_status'" in done.stderr


def test_an_output_file_that_is_already_there_is_kept_when_the_import_fails(log: Path, tmp_path: Path) -> None:
    out = tmp_path / "events.jsonl"
    out.write_text("kept")
    log.write_text("nothing\n")

    assert run("--mapping", MAPPING, log, "-o", out).exit_code == 2
    assert out.read_text() == "kept"
