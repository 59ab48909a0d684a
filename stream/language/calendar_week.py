"""Reads the hours and dates of a calendar.

Hours: ``{mon-fri: ["09:00-17:00"]}``, with seconds where needed: ``"09:00:30-17:59:59"``. Dates: ``2026-12-24``. Local dates
with a time: ``2026-11-14 22:00``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from stream.documents.readers import shown, under
from stream.sla.calendar.week import CLOSED_WEEK, OPEN_WEEK, Week, Window, Windows
from stream.sla.calendar.zone import DAY, EPOCH

if TYPE_CHECKING:
    from stream.documents.document import Report

_SECOND: Final = 1_000_000
_NAMES: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME: Final = r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?"
_WINDOW: Final = re.compile(rf"{_TIME} *- *{_TIME}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAYS: Final = 'write mon, tue, wed, thu, fri, sat, sun, a range such as mon-fri, or a list such as "mon,wed"'
WEEK_FORMS: Final = '24x7, closed, or windows by day, such as {mon-fri: ["09:00-17:00"]}'
_HOURS: Final = 'write quoted hours such as "09:00-17:00"'


def read_week(data: object, report: Report) -> Week:
    """``24x7``, ``closed``, or days to windows. Reports what is wrong and leaves it out."""
    if data == "24x7":
        return OPEN_WEEK
    if data == "closed":
        return CLOSED_WEEK
    if not isinstance(data, Mapping):
        report((), f"give {WEEK_FORMS}")
        return CLOSED_WEEK
    week: dict[int, Windows] = {}
    for key, value in data.items():
        windows = read_windows(value, under(report, key))
        for day in _read_days(key, under(report, key)):
            if day in week:
                report((key,), f"{_NAMES[day]} is given twice: name each day once")
            week[day] = windows
    found = tuple(week.get(day, ()) for day in range(7))
    _check_past_midnight(found, report)
    return (found[0], found[1], found[2], found[3], found[4], found[5], found[6])


def read_windows(data: object, report: Report) -> Windows:
    """A list of windows of one day, sorted. Reports hours that do not exist and windows that overlap."""
    if not isinstance(data, list):
        report((), f"give a list of windows, [] for a closed day: {_HOURS}")
        return ()
    windows = []
    for place, text in enumerate(data):
        window = _read_window(text, under(report, place))
        if window is not None:
            windows.append(window)
    windows.sort()
    for first, second in pairwise(windows):
        if second.start < first.end:
            report((), f"the windows {_hours(first)} and {_hours(second)} overlap: join them or move an edge")
    return tuple(windows)


def read_date(data: object, report: Report) -> date | None:
    """``2026-12-24``, in the years 1970 to 2199."""
    if not isinstance(data, str) or not _DATE.fullmatch(data):
        report((), f"{shown(data)} is not a date: write it as 2026-12-24")
        return None
    try:
        found = date.fromisoformat(data)
    except ValueError:
        report((), f"`{data}` is not in any calendar: check month and day")
        return None
    if not 1970 <= found.year <= 2199:
        report((), f"{found} is outside the years 1970 to 2199 that calendars support")
        return None
    return found


def read_reading(data: object, report: Report) -> int | None:
    """``2026-11-14 22:00`` as a local time of the calendar's zone, in microseconds from the epoch."""
    try:
        found = datetime.fromisoformat(data) if isinstance(data, str) and ":" in data else None
    except ValueError:
        found = None
    if found is None:
        report((), f"{shown(data)} is not a date and time: write it as 2026-11-14 22:00")
        return None
    if found.tzinfo is not None:
        report((), f"{shown(data)} has an offset: leave it out, exceptions are in the calendar's own time zone")
        return None
    if not 1970 <= found.year <= 2199:
        report((), f"{found} is outside the years 1970 to 2199 that calendars support")
        return None
    return (found.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def _read_days(key: str, report: Report) -> list[int]:
    days: list[int] = []
    for part in key.lower().split(","):
        first, dash, last = (side.strip() for side in part.partition("-"))
        if first not in _NAMES or (dash and last not in _NAMES):
            report((), f"`{part.strip()}` is not a day of the week: {_DAYS}")
            continue
        begin = _NAMES.index(first)
        length = (_NAMES.index(last) - begin) % 7 if dash else 0
        days += [(begin + step) % 7 for step in range(length + 1)]
    return days


def _read_window(text: object, report: Report) -> Window | None:
    match = _WINDOW.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        report((), f"{shown(text)} is not a window: {_HOURS}")
        return None
    hour, minute, second, end_hour, end_minute, end_second = (int(part or 0) for part in match.groups())
    start, end = _time(hour, minute, second), _time(end_hour, end_minute, end_second)
    if max(minute, second, end_minute, end_second) > 59 or start >= DAY or end > DAY:
        report(
            (), f"{shown(text)} has a time that does not exist: hours go from 00:00 to 24:00, and 24:00 may only end a window"
        )
        return None
    if start == end:
        report((), f'{shown(text)} ends when it starts: write "00:00-24:00" for a whole day, [] for none')
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


def _time(hour: int, minute: int, second: int) -> int:
    return ((hour * 60 + minute) * 60 + second) * _SECOND


def _hours(window: Window) -> str:
    return "-".join(_clock(edge if edge <= DAY else edge - DAY) for edge in window)


def _clock(edge: int) -> str:
    minutes, second = divmod(edge // _SECOND, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{second:02}" if second else "")
