"""``check``, ``calendar`` and the worker read the same files alike: the same verdict and the same messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from stream.cli.main import main
from stream.runtime.preflight import policies_of
from stream.runtime.settings import Settings
from stream.runtime.startup import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

POLICY = "policies: [{policy: p, version: 1, applies_to: always, calendar: c, commitments: [{metric: %s, target: 1h}]}]\n"
CALENDAR = "calendars: {c: {timezone: UTC, week: {mon-fri: ['09:00-17:00']}%s}}\n"
GOOD = CALENDAR % "" + POLICY % "first_response"


def with_calendar(more: str) -> str:
    return CALENDAR % f", {more}" + POLICY % "first_response"


USABLE = {
    "plain": GOOD,
    "the country NO without quotes": with_calendar("holidays: [{country: NO}]"),
    "dates without quotes": with_calendar("holidays: [2026-12-25, 12-31]"),
    "times without quotes": with_calendar("exceptions: [{from: 2026-11-15 10:00, to: 2026-11-15 11:30:00, closed: true}]"),
    "an anchor and an alias": with_calendar("breaks: {mon: &noon ['12:00-13:00'], tue: *noon}"),
    "a byte order mark": "\ufeff" + GOOD,
    "a word of YAML 1.1 as a name": GOOD.replace("policy: p", "policy: yes"),
    "only calendars": CALENDAR % "",
}
UNUSABLE = {
    "hours without quotes that YAML 1.1 reads as a number": GOOD.replace("'09:00-17:00'", "22:00"),
    "a duplicate key": GOOD + "calendars: {}\n",
    "a duplicate calendar key": with_calendar("week: 24x7"),
    "a tab as indentation": "calendars:\n\tc: {}\n",
    "an empty file": "",
    "only a comment": "# nothing\n",
    "two documents": GOOD + "---\n" + GOOD,
    "a list at the top": "- 1\n",
    "a text at the top": "calendars\n",
    "calendars as a list": "calendars: []\n",
    "a calendar that is a number": "calendars: {c: 5}\n",
    "a week that is a list": "calendars: {c: {timezone: UTC, week: []}}\n",
    "a holiday that is a number": with_calendar("holidays: [5]"),
    "a date that does not exist": with_calendar("holidays: [2026-02-30]"),
    "a merge key": "calendars: {c: {<<: {timezone: UTC}, week: 24x7}}\n",
    "an alias of what contains it": "calendars: &all {c: *all}\n",
    "an unknown alias": "calendars: *nowhere\n",
    "a tag": "calendars: !!python/name:os.system x\n",
    "a tag for a date": with_calendar("holidays: [!!timestamp 2026-12-25]"),
    "an unknown section": GOOD + "policy: {}\n",
    "an unknown calendar": GOOD.replace("calendar: c", "calendar: d"),
    "an error of a policy alone": CALENDAR % "" + POLICY % "first_respons",
    "a NUL character": "calendars: \0\n",
    "an unclosed bracket": "calendars: [\n",
}


@pytest.mark.parametrize("what", [*USABLE, *UNUSABLE])
def test_check_calendar_and_worker_agree_on_a_file(what: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text((USABLE | UNUSABLE)[what], encoding="utf-8")

    assert_all_agree([str(file)], usable=what in USABLE)


def test_they_agree_on_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(GOOD.encode().replace(b"policy: p", b"policy: \xff"))

    assert_all_agree([str(file)], usable=False)


def test_they_agree_on_two_files_that_define_the_same_names(tmp_path: Path) -> None:
    files = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    for file in files:
        file.write_text(GOOD, encoding="utf-8")

    assert_all_agree(list(map(str, files)), usable=False)


@pytest.mark.parametrize("name", ["batoi", "baar", "botpenguin"])
def test_they_accept_the_name_of_a_shipped_policy(name: str) -> None:
    assert_all_agree([name], usable=True)


@pytest.mark.parametrize("name", ["batio", "nowhere.yaml", "/"])
def test_they_agree_on_a_name_without_a_file(name: str) -> None:
    assert_all_agree([name], usable=False)


def assert_all_agree(names: list[str], *, usable: bool) -> None:
    checked, by_check = check(names)
    assert checked is usable, by_check
    assert calendar(names) == worker(names) == (usable, [] if usable else by_check)


def check(names: list[str]) -> tuple[bool, list[str]]:
    result = CliRunner().invoke(main, ["check", *names])
    return result.exit_code == 0, result.stdout.splitlines()[:-1]


def calendar(names: list[str]) -> tuple[bool, list[str]]:
    options = [word for name in names for word in ("--policies", name)]
    result = CliRunner().invoke(main, ["calendar", "open", "--at", "2026-11-20", "--calendar", "24x7", *options])
    return result.exit_code == 0, result.stderr.splitlines()


def worker(names: list[str]) -> tuple[bool, list[str]]:
    try:
        policies_of(Settings(policies=tuple(names)))
    except RefusedError as error:
        return error.what != "the policies are wrong", error.problems
    return True, []
