"""Calendars as plain YAML data, read into ``stream.sla.calendar.calendar.Calendar``.

Every problem is reported, none raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from difflib import get_close_matches
from itertools import combinations
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from stream.language.calendar_holidays import read_holidays
from stream.language.calendar_week import (
    Report,
    check_keys,
    inside,
    read_date,
    read_reading,
    read_week,
    read_windows,
)
from stream.sla.calendar.calendar import Calendar
from stream.sla.calendar.duration import Clock, Duration, DurationError
from stream.sla.calendar.week import CLOSED_WEEK, Content, DateException, ReadingException, Version, Week, usual_day
from stream.sla.calendar.zone import DAY

__all__ = ["Report", "read_calendar"]

_SECOND: Final = 1_000_000
_KEYS: Final = ("timezone", "week", "breaks", "day", "holidays", "exceptions", "versions")
_VERSION_KEYS: Final = ("since", "week", "breaks", "holidays")
_EXCEPTION_FORMS: Final = (
    'write {date: 2026-12-24, open: ["09:00-12:00"]}, {from: 2026-12-27, to: 2026-12-31, closed: true} or '
    '{from: "2026-11-14 22:00", to: "2026-11-15 02:00", closed: true}'
)


def read_calendar(name: str, data: object, report: Report) -> Calendar | None:
    """A calendar, or ``None`` when anything was reported.

    ``data`` is one entry of ``calendars:`` as YAML gives it: mappings, lists, texts, numbers, dates.
    """
    if not isinstance(data, Mapping):
        report((), 'a calendar is a mapping, such as {timezone: Asia/Kolkata, week: {mon-fri: ["09:00-17:00"]}}')
        return None
    found = 0

    def count(path: tuple[str | int, ...], message: str) -> None:
        nonlocal found
        found += 1
        report(path, message)

    check_keys(data, _KEYS, count)
    timezone = _read_zone(data, count)
    versions = _read_versions(data, count)
    dates, readings = _read_exceptions(data.get("exceptions", []), inside(count, "exceptions"))
    day = _read_day(data["day"], inside(count, "day")) if "day" in data else None
    if found:
        return None
    return Calendar(name, Content(timezone, versions, dates, readings, day))


def _read_zone(data: Mapping[object, object], report: Report) -> str:
    key = data.get("timezone")
    if not isinstance(key, str):
        report(("timezone",), "give the time zone by its IANA name, such as Asia/Kolkata")
        return ""
    try:
        ZoneInfo(key)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder's name raises OSError
        near = get_close_matches(key, available_timezones(), 1)
        hint = f"is it {near[0]}?" if near else "give an IANA name, such as Asia/Kolkata"
        report(("timezone",), f"there is no time zone {key!r}: {hint}")
    return key


def _read_versions(data: Mapping[object, object], report: Report) -> tuple[Version, ...]:
    if "week" not in data:
        report(("week",), 'the week is missing: give 24x7 or windows by day, such as {mon-fri: ["09:00-17:00"]}')
    versions = [_read_content(data, Version(date.min, CLOSED_WEEK), report)]
    stated = data.get("versions", [])
    if not isinstance(stated, list):
        report(("versions",), "give a list, such as [{since: 2025-04-01, week: {...}}]")
        return tuple(versions)
    for place, entry in enumerate(stated):
        report_here = inside(report, "versions", place)
        if not isinstance(entry, Mapping):
            report_here((), "a version is a mapping, such as {since: 2025-04-01, week: {...}}")
            continue
        check_keys(entry, _VERSION_KEYS, report_here)
        since = read_date(entry.get("since"), inside(report_here, "since"))
        if since is None:
            continue
        if since <= versions[-1].since:
            report_here(("since",), f"{since} is not after the version before it: list them in the order of time")
        versions.append(_read_content(entry, replace(versions[-1], since=since), report_here))
    return tuple(versions)


def _read_content(data: Mapping[object, object], before: Version, report: Report) -> Version:
    """``before`` with what ``data`` states anew."""
    sound = True

    def note(path: tuple[str | int, ...], message: str) -> None:
        nonlocal sound
        sound = False
        report(path, message)

    week = read_week(data["week"], inside(note, "week")) if "week" in data else before.week
    breaks = _read_breaks(data["breaks"], week, inside(note, "breaks")) if "breaks" in data else before.breaks
    version = replace(before, week=week, breaks=breaks)
    stated = next((key for key in ("week", "breaks") if key in data), None)
    if sound and stated and usual_day(version) == 0:
        report((stated,), "the calendar is never open: give at least one day a window that no break eats up")
    if "holidays" in data:
        version = replace(version, holidays=read_holidays(data["holidays"], inside(report, "holidays")))
    return version


def _read_breaks(data: object, week: Week, report: Report) -> Week:
    if not isinstance(data, Mapping):
        report((), 'give breaks by day, such as {mon-fri: ["12:00-13:00"]}')
        return CLOSED_WEEK
    for key in data:
        alone = read_week({key: data[key]}, lambda _path, _message: None)
        if any(alone) and not any(
            pause.start + shift < window.end and window.start < pause.end + shift
            for windows, pauses in zip(week, alone, strict=True)
            for window in windows
            for pause in pauses
            for shift in (0, DAY)
        ):
            report((str(key),), "no window is open at that time: a break is cut out of the windows of its own day")
    return read_week(data, report)


def _read_day(data: object, report: Report) -> int | None:
    try:
        day = Duration.parse(data) if isinstance(data, str) else None
    except DurationError as error:
        report((), str(error))
        return None
    if day is None or day.clock is not Clock.WALL or day.months or day.micros > DAY or day.micros % _SECOND:
        report((), f"{data!r} is not the length of a working day: write hours and minutes, such as 8h or 7h30m")
        return None
    return day.micros


def _read_exceptions(data: object, report: Report) -> tuple[tuple[DateException, ...], tuple[ReadingException, ...]]:
    dates: dict[int, DateException] = {}
    readings: dict[int, ReadingException] = {}
    if not isinstance(data, list):
        report((), f"give a list: {_EXCEPTION_FORMS}")
        data = []
    for place, entry in enumerate(data):
        said = _read_exception(entry, inside(report, place))
        if isinstance(said, DateException):
            dates[place] = said
        elif said is not None:
            readings[place] = said
    overlaps = [(one, two) for (one, a), (two, b) in combinations(dates.items(), 2) if a.first <= b.last and b.first <= a.last]
    overlaps += [(one, two) for (one, c), (two, d) in combinations(readings.items(), 2) if c.start < d.end and d.start < c.end]
    for one, two in overlaps:
        report((two,), f"speaks of the same time as entry {one + 1} of the list: say it once")
    return tuple(dates.values()), tuple(readings.values())


def _read_exception(entry: object, report: Report) -> DateException | ReadingException | None:
    if not isinstance(entry, Mapping) or ("date" in entry) == ("from" in entry or "to" in entry):
        report((), f"this is no exception: {_EXCEPTION_FORMS}")
        return None
    check_keys(entry, ("date", "from", "to", "open", "closed", "note"), report)
    note = entry.get("note", "")
    if not isinstance(note, str):
        report(("note",), "give a text")
        note = ""
    if ("open" in entry) == ("closed" in entry) or entry.get("closed", True) is not True:
        report((), "say either open or closed: true")
        return None
    if _has_time(entry.get("from")) or _has_time(entry.get("to")):
        return _read_span(entry, note, report)
    first = read_date(entry.get("date", entry.get("from")), inside(report, "date" if "date" in entry else "from"))
    last = first if "date" in entry else read_date(entry.get("to"), inside(report, "to"))
    windows = read_windows(entry["open"], inside(report, "open")) if "open" in entry else ()
    if first is None or last is None:
        return None
    if last < first:
        report(("to",), f"{last} is before {first}: exchange the two")
        return None
    return DateException(first, last, windows, note)


def _read_span(entry: Mapping[object, object], note: str, report: Report) -> ReadingException | None:
    start = read_reading(entry.get("from"), inside(report, "from"))
    end = read_reading(entry.get("to"), inside(report, "to"))
    if entry.get("open", True) is not True:
        report(("open",), "from and to give the hours already: write open: true, or give dates without a time")
        return None
    if start is None or end is None:
        return None
    if end <= start:
        report(("to",), "ends before it begins: exchange from and to")
        return None
    return ReadingException(start, end, "open" in entry, note)


def _has_time(value: object) -> bool:
    return isinstance(value, datetime) or (isinstance(value, str) and ":" in value)
