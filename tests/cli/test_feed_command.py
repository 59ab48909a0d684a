"""``breachwatch feed``: list, show, check, try and init."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from stream.cli.main import main
from stream.feeds.mapping import load, shipped
from tests.feeds.recorded import FOLDER
from tests.unit.feeds.mappings import CHANGE, DESK, write

if TYPE_CHECKING:
    from pathlib import Path

COMMENT = {"kind": "comment", "id": 7, "at": "2026-11-29T02:01:12Z", "change": "c2", "public": True}


def run(*arguments: object, text: str | bytes = "") -> Result:
    return CliRunner().invoke(main, ["feed", *map(str, arguments)], input=text)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    return write(tmp_path, DESK)


def payload_file(folder: Path, text: str) -> Path:
    path = folder / "payload.json"
    path.write_text(text, "utf-8")
    return path


def test_the_shipped_mappings_are_listed_with_their_signature_and_delivery() -> None:
    lines = run("list").output.splitlines()

    assert [line.split()[0] for line in lines] == shipped()
    assert "rt" in shipped()
    assert any(line.split()[:4] == ["redmine", "pull", "Redmine", "5,"] for line in lines)
    assert any("push (standard-webhooks), pull" in line for line in lines)


def test_a_shipped_mapping_is_shown_to_copy_it(tmp_path: Path) -> None:
    copy = tmp_path / "copy.yaml"
    copy.write_text(run("show", "rt").output, "utf-8")

    assert load(copy).rules
    assert "there are: " in run("show", "none").output


def test_check_lists_every_problem_and_the_exit_status_shows_it(desk: Path) -> None:
    good = run("check", desk, "rt")
    assert (good.exit_code, good.output.splitlines()[0]) == (0, f"{desk}: 2 rules, no delivery: 0 errors, 0 warnings")

    desk.write_text(DESK.replace("table: status", "table: stat").replace("comment.added", "comment"), "utf-8")
    bad = run("check", desk)
    assert bad.exit_code == 1
    assert bad.output.splitlines()[0].startswith(f"{desk}:10: events[0].say.fields.status.table: ")
    assert bad.output.splitlines()[-1] == f"{desk}: not usable: 2 errors, 0 warnings"


def test_check_can_be_strict_and_print_json(desk: Path) -> None:
    desk.write_text(DESK.replace('team: "{team}"', 'team: "{owner.email}"'), "utf-8")

    assert run("check", desk).exit_code == 0
    assert run("check", "--strict", desk).exit_code == 1
    report = json.loads(run("check", "--json", desk).output)
    assert report["usable"] is True
    assert (report["problems"][0]["line"], report["problems"][0]["severity"]) == (10, "warning")


def test_try_prints_the_events_of_a_payload(desk: Path, tmp_path: Path) -> None:
    result = run("try", desk, payload_file(tmp_path, json.dumps(CHANGE)))

    assert result.exit_code == 0
    assert json.loads(result.stdout)["fields"] == {"status": "open", "team": "first line"}
    assert result.stderr == "1 payload: 1 event, 0 not mapped\n"


@pytest.mark.parametrize("text", [json.dumps([CHANGE, COMMENT]), f"{json.dumps(CHANGE)}\n\n{json.dumps(COMMENT)}\n"])
def test_a_file_may_have_a_list_of_payloads_or_one_on_each_line(desk: Path, text: str) -> None:
    result = run("try", desk, "-", text=text)

    assert [json.loads(line)["type"] for line in result.stdout.splitlines()] == ["ticket.changed", "comment.added"]


def test_a_list_is_one_payload_for_a_mapping_that_reads_lists(tmp_path: Path) -> None:
    mapping = write(
        tmp_path,
        """\
        source: hub
        common: {ticket: "{item.id}", at: "{item.at}", id: "{index}"}
        events: [{each: doc, say: {type: ticket.deleted}}]
        """,
    )

    result = run("try", mapping, "-", text=json.dumps([CHANGE, COMMENT]))

    assert result.stderr == "1 payload: 2 events, 0 not mapped\n"


def test_what_does_not_fit_is_shown_with_the_line_of_the_mapping_and_the_path_of_the_payload(
    desk: Path, tmp_path: Path
) -> None:
    file = payload_file(tmp_path, json.dumps([{**CHANGE, "status": 3}, {"kind": "other"}]))

    result = run("try", desk, file)

    assert result.exit_code == 1
    unfit, skipped, summary = result.stderr.splitlines()
    assert (
        unfit
        == f"{file}[1]: does not fit: {desk}:10: the table `status` has no row for `3`: add one (at `status` of the payload)"
    )
    assert skipped == f"{file}[2]: no event: no rule of the mapping applies to it"
    assert summary == "2 payloads: 0 events, 1 not mapped"


def test_headers_are_given_and_recorded_requests_have_their_own(tmp_path: Path) -> None:
    mapping = write(
        tmp_path,
        """\
        source: scout
        common: {ticket: "{id}", at: "{received}", id: "{header.X-Event-Id}"}
        events: [{say: {type: ticket.deleted}}]
        """,
    )
    request = {"headers": {"x-event-id": "e-1"}, "body_text": '{"id": 4}'}
    body = base64.b64encode(b'{"id": 4}').decode()
    dead_letter = {
        "kind": "rejected",
        "feed": "x",
        "received": 1_795_917_672_000_000,
        "headers": {"x-event-id": "e-2"},
        "body": body,
    }

    given = run("try", mapping, "-", "--header", "X-EVENT-ID=e-0", text='{"id": 4}')
    recorded = run("try", mapping, "-", text=json.dumps([request, dead_letter]))

    assert json.loads(given.stdout)["id"] == "e-0"
    assert [json.loads(line)["id"] for line in recorded.stdout.splitlines()] == ["e-1", "e-2"]
    assert json.loads(recorded.stdout.splitlines()[1])["at"] == "2026-11-29T02:01:12Z"
    assert run("try", mapping, "-", "--header", "odd", text="{}").exit_code == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "-: is empty"),
        ("{", "-:1: is not JSON"),
        ('{"a": 1}\n{"b"', "-:2: is not JSON"),
        ('{"a": NaN}', "-:1: is not JSON"),
    ],
)
def test_a_file_that_is_not_json_is_reported_with_its_line(desk: Path, text: str, problem: str) -> None:
    result = run("try", desk, "-", text=text)

    assert result.exit_code == 2
    assert problem in result.stderr


@pytest.mark.parametrize(
    "document",
    [
        {"headers": 1, "body_text": "{}"},
        {"headers": {"a": 1}, "body_text": "{}"},
        {"headers": {}, "body_text": 5},
        {"kind": "rejected", "body": "not base64"},
        {"kind": "rejected", "body": "e30", "headers": {}},
        {"kind": "rejected", "body": "e30=", "headers": []},
        {"kind": "rejected", "body": "e30=", "received": "now"},
        {"kind": "rejected", "body": "e30=", "received": 10**18},
        {"kind": "rejected", "body": "/w=="},
    ],
)
def test_a_request_that_was_recorded_in_another_way_is_reported(desk: Path, document: object) -> None:
    result = run("try", desk, "-", text=json.dumps([document]))

    assert (result.exit_code, "-[1]: it" in result.stderr) == (2, True)


def test_a_file_or_mapping_that_is_not_usable_exits_with_2(desk: Path, tmp_path: Path) -> None:
    assert run("try", desk, tmp_path / "none.json").exit_code == 2
    nothing = run("try", "zendesck", "-", text="{}")
    assert nothing.exit_code == 2
    assert "no such mapping ships with breachwatch" in nothing.stderr


@pytest.mark.parametrize("name", shipped())
def test_a_new_mapping_extends_the_shipped_one_and_overwrites_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run("init", name).exit_code == 0
    file = tmp_path / f"{name}.yaml"
    assert run("check", "--strict", file).exit_code == 0
    payloads = sorted((FOLDER / name / "payloads").glob("*.json"))
    assert run("try", file, *payloads).stdout == run("try", name, *payloads).stdout
    again = run("init", name)
    assert again.exit_code == 1
    assert "exists already; nothing was written" in again.output


@pytest.mark.parametrize("name", shipped())
def test_the_rows_in_the_comments_of_a_new_mapping_are_those_of_the_shipped_one(name: str, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    run("init", name, "-o", file)
    begin, tables, rest = file.read_text("utf-8").partition("#tables:\n")
    rows = rest.partition("\n\n")[0]
    file.write_text(begin + (tables + rows).replace("#", "") + "\n", "utf-8")

    assert run("check", "--strict", file).exit_code == 0
    payloads = sorted((FOLDER / name / "payloads").glob("*.json"))
    assert run("try", file, *payloads).stdout == run("try", name, *payloads).stdout


def test_init_knows_only_shipped_mappings() -> None:
    result = run("init", "zendesck")

    assert result.exit_code == 1
    assert "there are: " in result.output
