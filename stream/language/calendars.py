"""Reads a calendar of a policy file into ``stream.sla.calendar.calendar.Calendar``. Reports every problem; never raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from itertools import combinations
from typing import TYPE_CHECKING, Final

from stream.documents.readers import section, shown, suggestion, under
from stream.language.calendar_holidays import read_holidays
from stream.language.calendar_week import WEEK_FORMS, read_date, read_reading, read_week, read_windows
from stream.language.zones import UnknownZoneError, read_zone, zone_names
from stream.sla.calendar.calendar import Calendar
from stream.sla.calendar.duration import Clock, Duration, DurationError
from stream.sla.calendar.week import (
    CLOSED_WEEK,
    Content,
    DateException,
    ReadingException,
    Version,
    Week,
    usual_day,
    usual_opening,
)
from stream.sla.calendar.zone import DAY, UTC_ZONE, Zone

if TYPE_CHECKING:
    from stream.documents.document import Report, Where

_SECOND: Final = 1_000_000
_KEYS: Final = ("timezone", "week", "breaks", "day", "holidays", "exceptions", "versions")
_VERSION_KEYS: Final = ("since", "week", "breaks", "holidays")
_NO_WEEK: Final = f"the week is missing, and no date is open: give {WEEK_FORMS}"
_NEVER_OPEN: Final = (
    "the calendar is never open: give at least one day a window that is longer than its breaks, or, with `week: closed`, "
    "open dates"
)
_EXCEPTION_FORMS: Final = (
    'write {date: 2026-12-24, open: ["09:00-12:00"]}, {from: 2026-12-27, to: 2026-12-31, closed: true} or '
    '{from: "2026-11-14 22:00", to: "2026-11-15 02:00", closed: true}'
)


def read_calendar(name: str, data: object, report: Report) -> Calendar | None:
    """A calendar, or ``None`` when anything was reported.

    ``data`` is one entry of ``calendars:`` as the document reader returns it.
    """
    if not isinstance(data, Mapping):
        report((), 'a calendar is a mapping, such as {timezone: Asia/Kolkata, week: {mon-fri: ["09:00-17:00"]}}')
        return None
    found = 0

    def count(where: Where, message: str) -> None:
        nonlocal found
        found += 1
        report(where, message)

    section(data, count, _KEYS)
    zone = _read_zone(data, count)
    versions = _read_versions(data, count)
    dates, readings = _read_exceptions(data.get("exceptions", []), under(count, "exceptions"))
    day = _read_day(data["day"], under(count, "day")) if "day" in data else None
    content = Content(zone, versions, dates, readings, day)
    if data.get("week", "closed") == "closed" and usual_opening(content) == 0:
        count(("week",), _NEVER_OPEN if "week" in data else _NO_WEEK)
    return None if found else Calendar(name, content)


def _read_zone(data: Mapping[str, object], report: Report) -> Zone:
    key = data.get("timezone")
    if not isinstance(key, str):
        report(("timezone",), "give the IANA name of the time zone, such as Asia/Kolkata")
        return UTC_ZONE
    try:
        return read_zone(key)
    except UnknownZoneError:
        hint = suggestion(key, zone_names()) or ": give an IANA name, such as Asia/Kolkata"
        report(("timezone",), f"there is no time zone `{key}`{hint}")
    return UTC_ZONE


def _read_versions(data: Mapping[str, object], report: Report) -> tuple[Version, ...]:
    versions = [_read_content(data, Version(date.min, CLOSED_WEEK), report)]
    stated = data.get("versions", [])
    if not isinstance(stated, list):
        report(("versions",), "give a list, such as [{since: 2025-04-01, week: {...}}]")
        return tuple(versions)
    for place, entry in enumerate(stated):
        report_here = under(report, "versions", place)
        if not isinstance(entry, Mapping):
            report_here((), "a version is a mapping, such as {since: 2025-04-01, week: {...}}")
            continue
        section(entry, report_here, _VERSION_KEYS)
        since = read_date(entry.get("since"), under(report_here, "since"))
        if since is None:
            continue
        if since <= versions[-1].since:
            report_here(("since",), f"{since} is not after the version before it: list them in chronological order")
        versions.append(_read_content(entry, replace(versions[-1], since=since), report_here))
    return tuple(versions)


def _read_content(data: Mapping[str, object], before: Version, report: Report) -> Version:
    """``before``, changed by the keys that ``data`` has."""
    sound = True

    def note(where: Where, message: str) -> None:
        nonlocal sound
        sound = False
        report(where, message)

    week = read_week(data["week"], under(note, "week")) if "week" in data else before.week
    breaks = _read_breaks(data["breaks"], week, under(note, "breaks")) if "breaks" in data else before.breaks
    version = replace(before, week=week, breaks=breaks)
    stated = next((key for key in ("week", "breaks") if key in data), None)
    if sound and stated and usual_day(version) == 0 and data.get("week") != "closed":
        report((stated,), _NEVER_OPEN)
    if "holidays" in data:
        version = replace(version, holidays=read_holidays(data["holidays"], under(report, "holidays")))
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
            report((key,), "no window is open at that time: a break must lie in the windows of its own day")
    return read_week(data, report)


def _read_day(data: object, report: Report) -> int | None:
    try:
        day = Duration.parse(data) if isinstance(data, str) else None
    except DurationError as error:
        report((), str(error))
        return None
    if day is None or day.clock is not Clock.WALL or day.months or day.micros > DAY or day.micros % _SECOND:
        report((), f"{shown(data)} is not the length of a working day: write hours and minutes, such as 8h or 7h30m")
        return None
    return day.micros


def _read_exceptions(data: object, report: Report) -> tuple[tuple[DateException, ...], tuple[ReadingException, ...]]:
    dates: dict[int, DateException] = {}
    readings: dict[int, ReadingException] = {}
    if not isinstance(data, list):
        report((), f"give a list: {_EXCEPTION_FORMS}")
        data = []
    for place, entry in enumerate(data):
        exception = _read_exception(entry, under(report, place))
        if isinstance(exception, DateException):
            dates[place] = exception
        elif exception is not None:
            readings[place] = exception
    overlaps = [(one, two) for (one, a), (two, b) in combinations(dates.items(), 2) if a.first <= b.last and b.first <= a.last]
    overlaps += [(one, two) for (one, c), (two, d) in combinations(readings.items(), 2) if c.start < d.end and d.start < c.end]
    for one, two in overlaps:
        report((two,), f"covers the same time as entry {one + 1} of the list: keep one of them")
    return tuple(dates.values()), tuple(readings.values())


def _read_exception(entry: object, report: Report) -> DateException | ReadingException | None:
    if not isinstance(entry, Mapping) or ("date" in entry) == ("from" in entry or "to" in entry):
        report((), f"this is not an exception: {_EXCEPTION_FORMS}")
        return None
    section(entry, report, ("date", "from", "to", "open", "closed", "note"))
    note = entry.get("note", "")
    if not isinstance(note, str):
        report(("note",), "give a text")
        note = ""
    if ("open" in entry) == ("closed" in entry) or entry.get("closed", True) is not True:
        report((), "give either open or closed: true")
        return None
    if _has_time(entry.get("from")) or _has_time(entry.get("to")):
        return _read_reading_exception(entry, note, report)
    first = read_date(entry.get("date", entry.get("from")), under(report, "date" if "date" in entry else "from"))
    last = first if "date" in entry else read_date(entry.get("to"), under(report, "to"))
    windows = read_windows(entry["open"], under(report, "open")) if "open" in entry else ()
    if first is None or last is None:
        return None
    if last < first:
        report(("to",), f"{last} is before {first}: swap them")
        return None
    return DateException(first, last, windows, note)


def _read_reading_exception(entry: Mapping[str, object], note: str, report: Report) -> ReadingException | None:
    start = read_reading(entry.get("from"), under(report, "from"))
    end = read_reading(entry.get("to"), under(report, "to"))
    if entry.get("open", True) is not True:
        report(("open",), "from and to already give the hours: write open: true, or give dates without a time")
        return None
    if start is None or end is None:
        return None
    if end <= start:
        report(("to",), "ends before it begins: swap from and to")
        return None
    return ReadingException(start, end, "open" in entry, note)


def _has_time(value: object) -> bool:
    return isinstance(value, str) and ":" in value
