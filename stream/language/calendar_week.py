"""Hours and dates as calendars write them: ``mon-fri.

["09:00-17:00"]``, ``2026-12-24``, ``12-24``, ``2026-11-14 22:00``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final

from stream.sla.calendar.week import OPEN_WEEK, Week, Window, Windows
from stream.sla.calendar.zone import DAY, EPOCH

Report = Callable[[tuple[str | int, ...], str], None]
"""Takes a problem: its path inside the data, and what is wrong and what to do."""

_MINUTE: Final = 60_000_000
_NAMES: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW: Final = re.compile(r"([0-9]{1,2}):([0-9]{2}) *- *([0-9]{1,2}):([0-9]{2})")
_DAYS: Final = 'write mon, tue, wed, thu, fri, sat, sun, a range such as mon-fri, or a list such as "mon,wed"'
_HOURS: Final = 'write quoted hours such as "09:00-17:00"'


def inside(report: Report, *path: str | int) -> Report:
    """The same, for problems whose paths begin at ``path``."""
    return lambda rest, message: report((*path, *rest), message)


def check_keys(data: Mapping[object, object], known: tuple[str, ...], report: Report) -> None:
    for key in data:
        if key not in known:
            report((str(key),), f"unknown key {key!r}: known here are {', '.join(known)}")


def read_week(data: object, report: Report) -> Week:
    """``24x7``, or days to windows. What is wrong is reported and left out."""
    if data == "24x7":
        return OPEN_WEEK
    if not isinstance(data, Mapping):
        report((), 'give 24x7 or windows by day, such as {mon-fri: ["09:00-17:00"]}')
        return ((),) * 7
    week: dict[int, Windows] = {}
    for key, value in data.items():
        windows = read_windows(value, inside(report, str(key)))
        for day in _read_days(key, inside(report, str(key))):
            if day in week:
                report((str(key),), f"{_NAMES[day]} is given twice: name each day once")
            week[day] = windows
    found = tuple(week.get(day, ()) for day in range(7))
    _check_past_midnight(found, report)
    return (found[0], found[1], found[2], found[3], found[4], found[5], found[6])


def read_windows(data: object, report: Report) -> Windows:
    """A list of windows of one day, sorted. Reports hours that are none and windows that overlap."""
    if not isinstance(data, list):
        report((), f"give a list of windows, [] for a closed day: {_HOURS}")
        return ()
    windows = []
    for place, text in enumerate(data):
        window = _read_window(text, inside(report, place))
        if window is not None:
            windows.append(window)
    windows.sort()
    for first, second in pairwise(windows):
        if second.start < first.end:
            report((), f"the windows {_hours(first)} and {_hours(second)} overlap: join them or move an edge")
    return tuple(windows)


def read_date(data: object, report: Report) -> date | None:
    """``2026-12-24``, as YAML's own date or quoted; of the years 1970 to 2199."""
    found = None
    if isinstance(data, date) and not isinstance(data, datetime):
        found = data
    elif isinstance(data, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", data):
        try:
            found = date.fromisoformat(data)
        except ValueError:
            report((), f"{data!r} is not in any calendar: check month and day")
            return None
    if found is None:
        report((), f"{data!r} is not a date: write it as 2026-12-24")
    elif not 1970 <= found.year <= 2199:
        report((), f"{found} lies outside the years 1970 to 2199 that calendars reach")
        return None
    return found


def read_reading(data: object, report: Report) -> int | None:
    """``2026-11-14 22:00`` as a reading of the calendar's own clocks."""
    found = data if isinstance(data, datetime) else None
    if isinstance(data, str) and ":" in data:
        try:
            found = datetime.fromisoformat(data)
        except ValueError:
            found = None
    if found is None:
        report((), f'{data!r} is not a date and time: write it quoted, as "2026-11-14 22:00"')
        return None
    if found.tzinfo is not None:
        report((), f"{data!s} bears an offset: exceptions are in the calendar's own time zone, so leave it out")
        return None
    if not 1970 <= found.year <= 2199:
        report((), f"{found} lies outside the years 1970 to 2199 that calendars reach")
        return None
    return (found.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def _read_days(key: object, report: Report) -> list[int]:
    if not isinstance(key, str):
        report((), f"{key!r} names no day: {_DAYS}")
        return []
    days: list[int] = []
    for part in key.lower().split(","):
        first, dash, last = (side.strip() for side in part.partition("-"))
        if first not in _NAMES or (dash and last not in _NAMES):
            report((), f"{part.strip()!r} names no day: {_DAYS}")
            continue
        begin = _NAMES.index(first)
        length = (_NAMES.index(last) - begin) % 7 if dash else 0
        days += [(begin + step) % 7 for step in range(length + 1)]
    return days


def _read_window(text: object, report: Report) -> Window | None:
    if isinstance(text, int) and not isinstance(text, bool):
        report((), f"YAML has read this as the number {text}: {_HOURS}")
        return None
    match = _WINDOW.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        report((), f"{text!r} is no window: {_HOURS}")
        return None
    hour, minute, end_hour, end_minute = map(int, match.groups())
    if hour > 23 or minute > 59 or end_minute > 59 or end_hour * 60 + end_minute > 24 * 60:
        report((), f"{text!r} has no such time of day: hours go from 00:00 to 24:00, and 24:00 may only end a window")
        return None
    start, end = (hour * 60 + minute) * _MINUTE, (end_hour * 60 + end_minute) * _MINUTE
    if start == end:
        report((), f'{text!r} ends when it starts: write "00:00-24:00" for a whole day, [] for none')
        return None
    return Window(start, end if end > start else end + DAY)


def _check_past_midnight(week: tuple[Windows, ...], report: Report) -> None:
    for day, windows in enumerate(week):
        following = week[(day + 1) % 7]
        if windows and following and windows[-1].end > DAY + following[0].start:
            report(
                (),
                f"{_hours(windows[-1])} of {_NAMES[day]} runs past midnight into {_hours(following[0])} of "
                f"{_NAMES[(day + 1) % 7]}: move an edge, so that each hour belongs to one window",
            )


def _hours(window: Window) -> str:
    start, end = (edge if edge <= DAY else edge - DAY for edge in window)
    return "-".join(f"{edge // (60 * _MINUTE):02}:{edge // _MINUTE % 60:02}" for edge in (start, end))
