"""``breachwatch explain``: a table a person can read, the same as JSON, and errors that suggest similar names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from stream.cli.main import main

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "explanation.v1.json").read_text())
POLICIES = """
calendars:
  office:
    timezone: Asia/Kolkata
    week: {mon-fri: ["09:00-17:00"]}
    holidays: [{date: 2026-11-17, name: Jubilee}]
policies:
  - policy: desk
    version: 3
    applies_to: {contract: [gold]}
    calendar: office
    commitments:
      - metric: resolution
        target: {p1: 1bd, p2: 2bd}
        warn_at: 75%
    escalations:
      - ladder: late
        kind: hierarchical
        on: resolution
        levels: [{level: manager, notify: [support-manager], at: "+2bh"}]
"""


def line(number: int, type_: str, at: str, ticket: str = "desk/1", **more: object) -> str:
    return json.dumps({"type": type_, "id": f"e{number}", "source": "desk", "ticket": ticket, "at": at, **more})


EVENTS = [
    line(1, "ticket.created", "2026-11-16T10:00:00+05:30", fields={"status": "open", "priority": "p2", "contract": "gold"}),
    line(2, "ticket.changed", "2026-11-16T11:00:00+05:30", fields={"status": "pending"}),
    line(3, "ticket.changed", "2026-11-16T12:30:30+05:30", fields={"status": "open"}),
    line(4, "ticket.changed", "2026-11-16T16:00:00+05:30", fields={"priority": "p1"}),
    line(5, "ticket.created", "2026-11-16T16:30:00+05:30", ticket="desk/2", fields={"priority": "p9"}),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies.yaml").write_text(POLICIES, encoding="utf-8")
    (tmp_path / "events.jsonl").write_text("\n".join(EVENTS), encoding="utf-8")
    return tmp_path


def run(folder: Path, *args: str) -> Result:
    given = ["--policies", str(folder / "policies.yaml"), "--events", str(folder / "events.jsonl")]
    return CliRunner().invoke(main, ["explain", *given, *args])


def test_the_table_shows_every_span_up_to_the_deadline(folder: Path) -> None:
    result = run(folder, "desk/1", "--commitment", "resolution")

    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    text = [" ".join(shown.split()) for shown in result.stdout.splitlines()]
    start = text.index("resolution: pending")
    assert text[start + 1 : start + 7] == [
        "policy desk version 3",
        "calendar office (Asia/Kolkata)",
        "target 8:00:00 of business time",
        "started Mon 2026-11-16 10:00 IST",
        "due Wed 2026-11-18 11:30:30 IST",
        "counted 4:59:30, paused 1:30:30",
    ]
    assert text[start + 8 : start + 22] == [
        "Mon 2026-11-16 10:00 IST * started: clock_started (e1)",
        "Mon 2026-11-16 10:00 IST Mon 2026-11-16 11:00 IST 1:00:00 1:00:00 running created (e1)",
        "Mon 2026-11-16 11:00 IST Mon 2026-11-16 12:30:30 IST 1:30:30 - paused status: open -> pending (e2)",
        "Mon 2026-11-16 12:30:30 IST Mon 2026-11-16 16:00 IST 3:29:30 3:29:30 running status: pending -> open (e3)",
        "Mon 2026-11-16 16:00 IST * retargeted: field_changed, now 8:00:00, due Wed 2026-11-18 11:30:30 IST (e4)",
        "Mon 2026-11-16 16:00 IST Mon 2026-11-16 16:30 IST 0:30:00 0:30:00 running priority: p2 -> p1 (e4)",
        "if nothing else happens:",
        "Mon 2026-11-16 16:30 IST Mon 2026-11-16 17:00 IST 0:30:00 0:30:00 running",
        "Mon 2026-11-16 17:00 IST Tue 2026-11-17 00:00 IST 7:00:00 - closed",
        "Tue 2026-11-17 00:00 IST Wed 2026-11-18 00:00 IST 24:00:00 - holiday Jubilee",
        "Wed 2026-11-18 00:00 IST Wed 2026-11-18 09:00 IST 9:00:00 - closed",
        "Wed 2026-11-18 09:00 IST Wed 2026-11-18 09:30:30 IST 0:30:30 0:30:30 running",
        "Wed 2026-11-18 09:30:30 IST * warned 75%: share_used",
        "Wed 2026-11-18 09:30:30 IST Wed 2026-11-18 11:30:30 IST 2:00:00 2:00:00 running",
    ]
    assert "late, level manager, at +2bh of resolution: pending" in text


def test_the_table_in_the_documentation_is_what_is_printed(folder: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/guides/explain.md").read_text(encoding="utf-8")

    printed, _, levels = run(folder, "desk/1").stdout.partition("\nlate, level manager")
    assert f"```\n{printed}```" in page
    assert levels


def test_json_keeps_its_contract_and_its_sums(folder: Path) -> None:
    answer = json.loads(run(folder, "desk/1", "--json").stdout)

    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(answer)
    resolution, manager = answer["deadlines"]
    counted = [span["counted_seconds"] for span in resolution["spans"]]
    assert sum(counted) == resolution["due_after_seconds"] == 28_800
    assert resolution["due_at"] == "2026-11-18T06:00:30Z"
    assert resolution["spans"][-1]["to"] == resolution["due_at"]
    assert (manager["level"], manager["due_at"]) == ("manager", "2026-11-18T08:00:30Z")


def test_a_level_shows_whom_it_notifies_who_acknowledged_it_and_its_release(folder: Path) -> None:
    more = [
        line(6, "escalation.acknowledged", "2026-11-18T14:00:00+05:30", actor={"kind": "agent", "role": "on-call"}),
        line(7, "ticket.changed", "2026-11-18T15:00:00+05:30", fields={"status": "solved"}),
    ]
    (folder / "events.jsonl").write_text("\n".join([*EVENTS, *more]), encoding="utf-8")
    raised = run(folder, "desk/1", "--until", "2026-11-18T13:45:00+05:30").stdout
    released = run(folder, "desk/1").stdout

    assert "late, level manager, at +2bh of resolution: raised" in raised
    assert "  notifies  support-manager\n  acknowledged  no\n  released  no\n" in raised
    assert "  acknowledged  Wed 2026-11-18 14:00 IST by agent (on-call) (e6)\n" in released
    assert "  released  Wed 2026-11-18 15:00 IST (solved)\n" in released


def test_until_and_zone_select_the_instant_and_the_zone(folder: Path) -> None:
    result = run(folder, "desk/1", "--until", "2026-11-16T06:00:00Z", "--zone", "Europe/Berlin")

    assert result.stdout.startswith("desk/1 as of Mon 2026-11-16 07:00 CET, from 2 events\n2 later events omitted\n")
    assert "unknown while paused" in result.stdout
    assert "IST" not in result.stdout


def test_a_ticket_without_a_deadline_is_explained_with_the_reason(folder: Path) -> None:
    assert run(folder, "desk/2").stdout.endswith(
        "\nwithout a deadline: no policy applies to its fields: the nearest is desk, which needs contract gold, and the ticket "
        "has no contract\n"
    )
    (reason,) = json.loads(run(folder, "desk/2", "--json").stdout)["without_deadline"]
    assert reason == {"reason": "no_policy", "policy": "desk", "condition": "contract gold", "fields": {"contract": ""}}


def test_an_unknown_ticket_is_an_error_with_similar_names(folder: Path) -> None:
    result = run(folder, "desk/11")

    assert result.exit_code == 2
    assert "does not contain ticket 'desk/11'" in result.stderr
    assert "similar: desk/1, desk/2" in result.stderr


def test_an_unknown_commitment_is_an_error_with_similar_names(folder: Path) -> None:
    result = run(folder, "desk/1", "--commitment", "resolutions")

    assert result.exit_code == 2
    assert "desk/1 has no commitment or ladder 'resolutions'; similar: resolution" in result.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--until", "tomorrow"), "RFC 3339"),
        (("--zone", "Mars/Base"), "not an IANA time zone"),
        (("--until", "2026-11-01T00:00:00Z"), "choose a later --until"),
    ],
)
def test_an_invalid_option_is_an_error(folder: Path, args: tuple[str, str], message: str) -> None:
    result = run(folder, "desk/1", *args)

    assert result.exit_code == 2
    assert message in result.stderr


def test_a_policy_that_does_not_exist_is_an_error_with_the_shipped_names(folder: Path) -> None:
    result = CliRunner().invoke(main, ["explain", "--policies", "nosuch", "--events", str(folder / "events.jsonl"), "desk/1"])

    assert result.exit_code == 1
    assert "nosuch" in result.stderr
    assert "batoi" in result.stderr


def test_refused_lines_are_counted_and_the_rest_is_explained(folder: Path) -> None:
    path = folder / "events.jsonl"
    path.write_text("\n".join([*EVENTS, '{"type": "ticket.created"}', "no json", "{"]), encoding="utf-8")
    result = run(folder, "desk/1")

    assert result.exit_code == 0
    assert result.stderr.endswith("events.jsonl: refused lines: 1 invalid, 2 undecodable\n")


def test_an_event_that_has_the_identity_of_another_is_omitted_as_a_worker_does(folder: Path) -> None:
    path = folder / "events.jsonl"
    other = json.dumps({**json.loads(EVENTS[0]), "fields": {"priority": "of another event"}})
    path.write_text("\n".join([*EVENTS, other]), encoding="utf-8")

    assert f"{json.loads(EVENTS[0])['id']}: conflict: omitted: " in run(folder, "desk/1").stderr


def test_an_event_older_than_the_history_is_omitted_as_a_worker_does(folder: Path) -> None:
    path = folder / "events.jsonl"
    early = line(9, "ticket.changed", "2026-11-16T10:30:00+05:30", fields={"status": "solved"})
    path.write_text("\n".join([*EVENTS, early]), encoding="utf-8")

    assert "e9: too_late" in run(folder, "desk/1", "--history", "2").stderr
    assert "resolution: pending" in run(folder, "desk/1", "--history", "2").stdout
    assert run(folder, "desk/1").stderr == ""
