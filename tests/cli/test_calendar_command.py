"""``breachwatch calendar``: answers a person can read, the same as JSON, and problems with their place."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream.cli.main import main

POLICIES = """
calendars:
  batoi:
    timezone: Asia/Kolkata
    week: {mon-fri: ["09:00-17:00"]}
    holidays: [{date: 2026-11-24, name: Gurpurab}]
"""
BERLIN = """
  berlin: {timezone: Europe/Berlin, week: 24x7, holidays: [2026-12-25]}
"""


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES, encoding="utf-8")
    return path


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["calendar", *map(str, args)])


def test_due_names_the_instant_and_the_stretches(policies: Path) -> None:
    result = run("due", "--policies", policies, "--from", "2026-11-23T16:30", "4bh")
    assert result.exit_code == 0, result.output
    assert "due       Wed 2026-11-25 12:30:00+05:30  =  2026-11-25T07:00:00Z" in result.stdout
    assert "spent     4bh = 4:00:00 of business time" in result.stdout
    assert "holiday Gurpurab" in result.stdout
    assert result.stdout.count(" open") == 2


def test_due_as_json_is_exact(policies: Path) -> None:
    answer = json.loads(run("due", "--json", "--policies", policies, "--from", "2026-11-20T11:00:00Z", "0.5bd").stdout)
    assert answer["due"] == {"local": "2026-11-23T12:30:00+05:30", "utc": "2026-11-23T07:00:00Z"}
    assert (answer["clock"], answer["target_seconds"]) == ("business", 14_400)
    assert sum(one["seconds"] for one in answer["stretches"] if one["kind"] == "open") == 14_400
    assert answer["stretches"][-1]["end"] == answer["due"]


def test_due_on_the_wall_counts_closed_time_too(policies: Path) -> None:
    result = run("due", "--policies", policies, "--from", "2026-11-20T16:30", "1d")
    assert "due       Sat 2026-11-21 16:30:00+05:30" in result.stdout
    assert "wall time, which counts closed hours too" in result.stdout


def test_elapsed_gives_business_and_wall_time(policies: Path) -> None:
    result = run("elapsed", "--policies", policies, "--from", "2026-11-20T16:30", "--to", "2026-11-23T09:30:00.5+05:30")
    assert "business  1:00:00.5\n" in result.stdout
    assert "wall      65:00:00.5\n" in result.stdout


def test_people_read_milliseconds_and_programs_everything(policies: Path) -> None:
    arguments = ("elapsed", "--policies", policies, "--from", "2026-11-20T16:30", "--to", "2026-11-23T09:30:00.123456+05:30")

    shown = run(*arguments).stdout

    assert "to        Mon 2026-11-23 09:30:00.123+05:30  =  2026-11-23T04:00:00.123Z\n" in shown
    assert "business  1:00:00.123\n" in shown
    assert json.loads(run(*arguments, "--json").stdout)["to"] == {
        "local": "2026-11-23T09:30:00.123456+05:30",
        "utc": "2026-11-23T04:00:00.123456Z",
    }
    answer = json.loads(
        run("elapsed", "--json", "--policies", policies, "--from", "2026-11-20T16:30", "--to", "2026-11-23T09:30").stdout
    )
    assert (answer["business_seconds"], answer["wall_seconds"]) == (3600, 234_000)


def test_due_of_a_delay_shows_what_it_means_and_when_it_ends(policies: Path) -> None:
    text = "+1 business day at 20:00 cutoff 15:00"
    result = run("due", "--policies", policies, "--from", "2026-11-20T15:30", text)
    assert "due       Wed 2026-11-25 20:00:00+05:30" in result.stdout  # Tuesday is a holiday
    assert "meaning   by 20:00 on the next business day, counted from the next one after 15:00\n" in result.stdout
    assert f"spent     {text} = 17:30:00 of business time\n" in result.stdout
    answer = json.loads(run("due", "--json", "--policies", policies, "--from", "2026-11-20T15:30", text).stdout)
    assert (answer["due"]["local"], answer["target_seconds"]) == ("2026-11-25T20:00:00+05:30", 63_000)
    refused = run("due", "--policies", policies, "--from", "2199-12-31T12:00", "+1 business day")
    assert "+1 business day never comes: `batoi` has no such business day" in " ".join(refused.stderr.split())


def test_open_shows_why_it_is_closed_and_when_it_opens(policies: Path) -> None:
    result = run("open", "--policies", policies, "--at", "2026-11-24T10:00", "--days", 1)
    assert "then      holiday (Gurpurab)" in result.stdout
    assert "opens     Wed 2026-11-25 09:00:00+05:30" in result.stdout


def test_open_shows_when_it_closes(policies: Path) -> None:
    answer = json.loads(run("open", "--json", "--policies", policies, "--at", "2026-11-23T10:00").stdout)
    assert (answer["open"], answer["kind"], answer["note"]) == (True, "open", "")
    assert answer["next_change"]["local"] == "2026-11-23T17:00:00+05:30"


def test_the_calendar_that_never_closes_always_exists(policies: Path) -> None:
    result = run("open", "--policies", policies, "--calendar", "24x7", "--at", "2026-11-23T10:00")
    assert "closes    never" in result.stdout


def test_two_calendars_need_a_choice(policies: Path) -> None:
    policies.write_text(POLICIES + BERLIN, encoding="utf-8")
    result = run("open", "--policies", policies, "--at", "2026-11-23T10:00")
    assert result.exit_code == 2
    assert "choose one with --calendar: batoi, berlin" in result.stderr
    assert run("open", "--policies", policies, "--calendar", "berlin", "--at", "2026-11-23T10:00").exit_code == 0


def test_a_local_time_that_the_clocks_skipped_is_an_error(policies: Path) -> None:
    policies.write_text("calendars:" + BERLIN, encoding="utf-8")
    result = run("open", "--policies", policies, "--at", "2026-03-29T02:30")
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_a_local_time_that_occurs_twice_is_the_first_with_a_note(policies: Path) -> None:
    policies.write_text("calendars:" + BERLIN, encoding="utf-8")
    result = run("open", "--policies", policies, "--at", "2026-10-25T02:30")
    assert "at        Sun 2026-10-25 02:30:00+02:00" in result.stdout
    assert "occurs twice" in result.stderr
    assert "not Sun 2026-10-25 02:30:00+01:00" in result.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["due", "--from", "2026-11-20", "1d4bh"], "mixes wall time"),
        (["due", "--from", "yesterday", "4bh"], "is not an instant"),
        (["due", "--from", "2199-12-31T12:00", "9bd"], "9bd never passes: `batoi` is not open that long any more"),
        (["open", "--at", "1960-01-01"], "outside the years 1970 to 2199"),
        (["elapsed", "--from", "2026-11-20", "--to", "2026-11-19"], "swap them"),
        (["open", "--at", "2026-11-20", "--calendar", "nowhere"], "unknown calendar 'nowhere'"),
    ],
)
def test_an_invalid_query_is_an_error_with_advice(policies: Path, args: list[str], words: str) -> None:
    result = run(args[0], "--policies", policies, *args[1:])
    assert result.exit_code == 2
    assert any(word in " ".join(result.stderr.split()) for word in words.split("|")), result.stderr


def test_problems_of_a_calendar_are_listed_with_file_and_path(policies: Path) -> None:
    policies.write_text("calendars: {x: {timezone: Nowhere, week: {mon: ['9-5']}}}", encoding="utf-8")
    result = run("open", "--policies", policies, "--at", "2026-11-20")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"{policies}:1: calendars.x.timezone: there is no time zone `Nowhere`" in result.stderr
    assert f"{policies}:1: calendars.x.week.mon[0]: `9-5` is not a window" in result.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("calendars: [", "is not YAML"),
        ("- 1", "must be a mapping"),
        ("calendars: {date: 2026-02-30}", "a calendar is a mapping"),
    ],
)
def test_a_file_that_holds_no_calendars_is_a_problem(policies: Path, text: str, words: str) -> None:
    policies.write_text(text, encoding="utf-8")
    result = run("open", "--policies", policies, "--at", "2026-11-20")
    assert result.exit_code == 2
    assert words in result.stderr


def test_one_name_in_two_files_is_a_problem(policies: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(POLICIES, encoding="utf-8")
    result = run("open", "--policies", policies, "--policies", other, "--at", "2026-11-20")
    assert result.exit_code == 2
    assert f"{other}:3: calendars.batoi: `batoi` is already defined at {policies}:3" in result.stderr
