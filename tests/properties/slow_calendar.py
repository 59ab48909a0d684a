"""The rule of business time, written out a second time and as slowly as possible.

An instant is open if its local reading (date and minute of the day) is one that the calendar opens. Every minute is converted
to local time by itself; there is no span, no offset and no sum here, and nothing of ``stream`` is imported.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

DAY = 1440
Hours = tuple[tuple[int, int], ...]
"""Windows in minutes of their day; an end beyond 1440 is in the next day."""


@dataclass(frozen=True)
class SlowVersion:
    since: date
    week: tuple[Hours, ...]
    breaks: tuple[Hours, ...]
    holidays: Mapping[date, Hours]


@dataclass(frozen=True)
class SlowCalendar:
    timezone: str
    versions: tuple[SlowVersion, ...]
    dates: tuple[tuple[date, date, Hours], ...] = ()
    readings: tuple[tuple[datetime, datetime, bool], ...] = ()
    """From, to (naive local times), open."""
    zone: ZoneInfo = field(init=False)

    def __post_init__(self) -> None:
        with (resources.files("tzdata") / "zoneinfo" / self.timezone).open("rb") as file:
            object.__setattr__(self, "zone", ZoneInfo.from_file(file))

    def is_open(self, minute: int) -> bool:
        """``minute`` counts from 1970-01-01 00:00 UTC."""
        local = datetime.fromtimestamp(minute * 60, UTC).astimezone(self.zone).replace(tzinfo=None)
        for start, end, opened in reversed(self.readings):
            if start <= local < end:
                return opened
        today, of_day = local.date(), local.hour * 60 + local.minute
        return self.in_window_of(today, of_day) or self.in_window_of(today - timedelta(days=1), of_day + DAY)

    def in_window_of(self, day: date, minute: int) -> bool:
        """Whether a window that starts on the day covers the minute, counted from that day's midnight."""
        for first, last, windows in reversed(self.dates):
            if first <= day <= last:
                return _covers(windows, minute)
        version = [version for version in self.versions if version.since <= day][-1]
        if day in version.holidays:
            return _covers(version.holidays[day], minute)
        breaks = version.breaks[day.weekday()]
        if _covers(breaks, minute) or _covers(breaks, minute - DAY):
            return False
        return _covers(version.week[day.weekday()], minute)

    def measure(self, start: int, end: int) -> int:
        """Open minutes of [start, end)."""
        return sum(self.is_open(minute) for minute in range(start, end))

    def add(self, start: int, minutes: int, limit: int) -> int | None:
        """The earliest minute up to which ``minutes`` open ones have passed; ``None`` if that is after ``limit``."""
        return _spend((minute + 1 for minute in range(start, limit) if self.is_open(minute)), minutes)

    def subtract(self, start: int, minutes: int, limit: int) -> int | None:
        """The latest minute from which on ``minutes`` open ones pass until ``start``; ``None`` if before ``limit``."""
        return _spend((minute for minute in range(start - 1, limit - 1, -1) if self.is_open(minute)), minutes)


def _covers(windows: Hours, minute: int) -> bool:
    return any(start <= minute < end for start, end in windows)


def _spend(ends: Iterator[int], minutes: int) -> int | None:
    return next((end for passed, end in enumerate(ends, start=1) if passed == minutes), None)
