"""Time zones come from the pinned package alone, and as it has them."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib import resources
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from stream.language.zones import UnknownZoneError, read_tzinfo, read_zone, zone_names
from stream.sla.calendar.zone import DAY, EPOCH, UTC_ZONE

HOUR = 3_600_000_000
END = (datetime(2200, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def at(text: str) -> int:
    return round(datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1_000_000


def zone_file(name: str) -> bytes:
    return (resources.files("tzdata") / "zoneinfo" / name).read_bytes()


def offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    found = moment.astimezone(zone).utcoffset()
    assert found is not None
    return found


SAMPLES = {instant: EPOCH + timedelta(microseconds=instant) for instant in range(-DAY, END, 45 * DAY + 7 * HOUR)}
FIRST_NAMES: dict[bytes, str] = {}
"""Contents of a file to the first name that has it: many names are aliases of another."""
for each in sorted(zone_names()):
    FIRST_NAMES.setdefault(zone_file(each), each)


@pytest.mark.parametrize("name", FIRST_NAMES.values())
def test_each_zone_has_the_offsets_that_zoneinfo_finds_in_the_same_file(name: str) -> None:
    zone, expected = read_zone(name), ZoneInfo.from_file(BytesIO(zone_file(name)), key=name)
    microsecond = timedelta(microseconds=1)
    for change, before, after in zip(zone.changes, zone.offsets, zone.offsets[1:], strict=False):
        moment = EPOCH + timedelta(microseconds=change)
        assert before * microsecond == offset(expected, moment - microsecond)
        assert after * microsecond == offset(expected, moment)
        assert before != after
    found = {moment: zone.offset_at(instant) * microsecond for instant, moment in SAMPLES.items()}
    assert found == {moment: offset(expected, moment) for moment in SAMPLES.values()}


@pytest.mark.parametrize("alias", sorted(zone_names() - set(FIRST_NAMES.values())))
def test_a_zone_that_has_the_file_of_another_has_its_offsets(alias: str) -> None:
    zone, first = read_zone(alias), read_zone(FIRST_NAMES[zone_file(alias)])
    assert (zone.changes, zone.offsets) == (first.changes, first.offsets)


def test_changes_are_in_order_and_end_with_the_calendars() -> None:
    berlin = read_zone("Europe/Berlin")
    assert list(berlin.changes) == sorted(set(berlin.changes))
    assert berlin.changes[-1] == at("2199-10-27T01:00:00")
    assert berlin.reading_at(at("2199-07-01T10:00:00")) == at("2199-07-01T12:00:00")


def test_a_zone_without_changes_is_one_offset() -> None:
    assert (read_zone("UTC"), read_zone("Asia/Kolkata").offsets) == (UTC_ZONE, (5 * HOUR + HOUR // 2,))


def test_vancouver_stays_at_seven_hours_after_november_2026_as_the_pinned_release_has_it() -> None:
    assert read_zone("America/Vancouver").offset_at(at("2026-12-01T00:00:00")) == -7 * HOUR
    assert f"{datetime(2026, 12, 1, tzinfo=read_tzinfo('America/Vancouver')):%z}" == "-0700"


@pytest.mark.parametrize("name", ["Asia/Calcuta", "", ".", "Europe", "../zones", "/etc/passwd", "localtime", "right/UTC", "\0"])
def test_a_name_that_the_package_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(UnknownZoneError):
        read_zone(name)
    with pytest.raises(UnknownZoneError):
        read_tzinfo(name)


QUESTION = """
from stream.language.policies import load
from stream.testing import local
from zoneinfo import ZoneInfo
import datetime
policies = load(["van.yaml"])
office = policies.calendars["office"]
noon = 1796040000000000
print(office.add(noon, 4 * 3600 * 1000000), policies.policies[0].since, local(noon, "America/Vancouver"))
print(datetime.datetime(2026, 12, 1, tzinfo=ZoneInfo("America/Vancouver")).utcoffset())
"""
POLICY = """
calendars:
  office: {timezone: America/Vancouver, week: {mon-fri: ["09:00-17:00"]}}
policies:
  - policy: desk
    version: 1
    applies_to: always
    since: 2026-12-01
    calendar: office
    commitments: [{metric: resolution, target: 4bh}]
"""


def test_answers_are_the_same_whatever_database_the_system_has(tmp_path: Path) -> None:
    wrong = tmp_path / "zoneinfo" / "America"
    wrong.mkdir(parents=True)
    (wrong / "Vancouver").write_bytes((resources.files("tzdata") / "zoneinfo" / "Asia" / "Tokyo").read_bytes())
    (tmp_path / "van.yaml").write_text(POLICY)

    def ask(path: str) -> tuple[str, str]:
        environment = os.environ | {"PYTHONTZPATH": path, "PYTHONPATH": str(Path.cwd())}
        command = [sys.executable, "-c", QUESTION]
        answer = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        ours, systems = answer.strip().split("\n")
        return ours, systems

    package_only, other_system = ask(""), ask(str(tmp_path / "zoneinfo"))
    assert package_only[1] != other_system[1]
    assert package_only[0] == other_system[0]


@pytest.mark.parametrize(
    "name", ["localtime", "posixrules", "Factory", "right/Europe/Berlin", "posix/UTC", "../zones", "/etc/localtime"]
)
def test_a_name_that_is_not_a_place_or_depends_on_the_machine_is_refused(name: str) -> None:
    for read in (read_zone, read_tzinfo):
        with pytest.raises(UnknownZoneError):
            read(name)
