"""A calendar as its file states it, asked one minute at a time, and lengths of time counted one minute at a time.

Minutes count from 1970-01-01 00:00 UTC. Nothing of ``stream`` is imported: the text of a calendar or a duration is read here
a second time, far less completely, and refused where it has more than this reader knows.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.properties.slow_calendar import DAY, SlowCalendar, SlowVersion
from tests.properties.slow_calendar import Hours as Windows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WALL: Final = {"m": 1, "h": 60, "d": 1440, "w": 10080}
_BUSINESS: Final = {"bs": Fraction(1, 60), "bm": Fraction(1), "bh": Fraction(60)}
_KEYS: Final = {"timezone", "week", "breaks", "day", "holidays", "exceptions"}


NEVER: Final = 1 << 62
"""Minutes until a business day that does not come."""


class Length(NamedTuple):
    """So many minutes, on the calendar or on the wall."""

    business: bool
    minutes: int
    not_before: int = 0
    """The minute at which a delay in business days ends, though its open minutes may be over earlier."""


class OpenMinutes:
    """One calendar, from its entry under ``calendars:`` as YAML gives it; dates are texts.

    Raises ValueError for what is not understood (countries' holidays, versions, exceptions with times).
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        if unknown := set(data) - _KEYS:
            raise ValueError(f"the slow calendar does not understand {sorted(unknown)}")
        week, breaks = _by_weekday(data.get("week", {})), _by_weekday(data.get("breaks", {}))
        holidays = {date.fromisoformat(one["date"]): _windows(one.get("open", ())) for one in data.get("holidays", ())}
        exceptions = []
        for one in data.get("exceptions", ()):
            first = date.fromisoformat(one.get("date") or one["from"])
            exceptions.append((first, date.fromisoformat(one.get("date") or one["to"]), _windows(one.get("open", ()))))
        self._slow = SlowCalendar(data["timezone"], (SlowVersion(date.min, week, breaks, holidays),), tuple(exceptions))
        self._days: dict[int, bytes] = {}
        self.day = length(data["day"], self, 0).minutes if "day" in data else _usual_day(week, breaks, exceptions)
        self._over = None if any(week) else (max(last for _, last, _ in exceptions) - date(1970, 1, 1)).days * DAY + 3 * DAY
        """A minute from which on it is never open again, if it has no week."""
        self._begin = 0 if any(week) else (min(first for first, _, _ in exceptions) - date(1970, 1, 1)).days * DAY - 3 * DAY
        """A minute before which it is never open, if it has no week."""

    def open_minutes(self, day: int) -> bytes:
        """For each minute of a UTC day (counted from 1970) 1 if it is open, else 0. Remembered, because asking is slow."""
        known = self._days.get(day)
        if known is None:
            known = self._days[day] = bytes(self._slow.is_open(minute) for minute in range(day * DAY, day * DAY + DAY))
        return known

    def is_open(self, minute: int) -> bool:
        day, of_day = divmod(minute, DAY)
        return bool(self.open_minutes(day)[of_day])

    def is_over(self, minute: int) -> bool:
        """It is never open from this minute on."""
        return self._over is not None and minute >= self._over

    def add(self, start: int, minutes: int) -> int | None:
        """The first minute up to which so many open minutes have passed; ``None`` if it is not open that long."""
        while minutes:
            if self.is_over(start):
                return None
            minutes -= self.is_open(start)
            start += 1
        return start

    @lru_cache(10_000)  # noqa: B019 - calendars live as long as the tests
    def subtract(self, end: int, minutes: int) -> int:
        """The last minute from which on so many open minutes pass until ``end``; 0 if it was not open that long."""
        while minutes:
            if end == 0 or (self._over is not None and end < self._begin):
                return 0
            end -= 1
            minutes -= self.is_open(end)
        return end

    def months_after(self, start: int, months: int) -> int:
        """The minute whose local reading is that of ``start`` so many months on, by the day of the month or the last day."""
        reading = self.reading(start)
        year, month = divmod(reading.year * 12 + reading.month - 1 + months, 12)
        day = min(reading.day, monthrange(year, month + 1)[1])
        return self.minute_of(reading.replace(year=year, month=month + 1, day=day))

    def minute_of(self, wanted: datetime) -> int:
        """The minute with that local reading. Of two the second; if the reading is skipped, the first minute after the skip."""
        near = int(wanted.replace(tzinfo=UTC).timestamp()) // 60
        around = range(near - DAY, near + DAY)
        same = [minute for minute in around if self.reading(minute) == wanted]
        return same[-1] if same else next(minute for minute in around if self.reading(minute) > wanted)

    @lru_cache(10_000)  # noqa: B019 - calendars live as long as the tests
    def minutes_of(self, day: date) -> list[int]:
        """The minutes in which the windows that start on a date are open, in order."""
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a local reading
        near = int(midnight.replace(tzinfo=UTC).timestamp()) // 60
        found = []
        for minute in range(near - DAY, near + 3 * DAY):
            of_day = (self.reading(minute) - midnight) // timedelta(minutes=1)
            if 0 <= of_day < 2 * DAY and self._slow.in_window_of(day, of_day):
                found.append(minute)
        return found

    def reading(self, minute: int) -> datetime:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)).astimezone(self._slow.zone).replace(tzinfo=None)


@lru_cache(100_000)
def length(text: str, hours: OpenMinutes, start: int) -> Length:
    """``2bd4bh``, ``1h30m``, ``1mo`` from ``start`` on. Raises ValueError for what is no whole number of minutes."""
    if text.startswith("+"):
        end = delay_end(text, hours, start)
        if end is None:
            return Length(True, NEVER)
        return Length(True, sum(hours.is_open(minute) for minute in range(start, end)), end)
    total, units = Fraction(0), set()
    for count, unit in re.findall(r"([0-9.]+)([a-z]+)", text):
        units.add(unit)
        if unit == "mo":
            total += hours.months_after(start, int(count)) - start
        elif unit == "bd":
            total += Fraction(count) * hours.day
        elif unit == "s":
            total += Fraction(count) / 60
        else:
            total += Fraction(count) * (_BUSINESS.get(unit) or _WALL[unit])
    return Length(bool(units & {*_BUSINESS, "bd"}), whole(total, text))


@lru_cache(100_000)
def later(minute: int, text: str, hours: OpenMinutes) -> int | None:
    """A length after a minute; ``None`` if the calendar is not open that long."""
    if text.startswith("+"):
        return delay_end(text, hours, minute)
    business, minutes, _ = length(text, hours, minute)
    return hours.add(minute, minutes) if business else minute + minutes


@lru_cache(100_000)
def delay_end(text: str, hours: OpenMinutes, start: int) -> int | None:
    """When ``+1 business day at 16:00 cutoff 15:00`` from a minute on is over; ``None``: its business day does not come."""
    words = text.split()
    count, ending = int(words[0]), words[words.index("at") + 1] if "at" in words else ""
    day, last = hours.reading(start).date(), start + 3_700 * DAY
    night = hours.minutes_of(day - timedelta(days=1))
    own = hours.minutes_of(day)
    if night and start <= night[-1] and not (own and own[0] <= start):
        day -= timedelta(days=1)
    of_day = hours.reading(start) - _midnight(day)

    def following(day: date) -> date | None:
        while True:
            day += timedelta(days=1)
            if hours.minutes_of(day):
                return day
            if hours.is_over(_minutes(day)) or _minutes(day) > last:
                return None

    counted: date | None = day
    if "cutoff" in words and not (hours.minutes_of(day) and start <= _time_on(day, words[-1], hours)):
        counted = following(day)
    if count == 0 and counted is not None and not hours.minutes_of(counted):
        counted = following(counted)
    for _ in range(count):
        counted = None if counted is None else following(counted)
    while counted is not None:
        if ending == "close":
            end = hours.minutes_of(counted)[-1] + 1
        elif ending:
            end = _time_on(counted, ending, hours)
        else:
            end = hours.minute_of(_midnight(counted) + of_day)
        if end > start:
            return end
        counted = following(counted)
    return None


def _time_on(day: date, time: str, hours: OpenMinutes) -> int:
    """The minute of a time of day; after midnight where the hours of the date reach it only then."""
    wanted = _midnight(day) + timedelta(hours=int(time[:2]), minutes=int(time[3:]))
    own = hours.minutes_of(day)
    late = wanted + timedelta(days=1)
    if wanted < hours.reading(own[0]) and late <= hours.reading(own[-1]) + timedelta(minutes=1):
        wanted = late
    return hours.minute_of(wanted)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a local reading


def _minutes(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY


def whole(minutes: Fraction, what: str) -> int:
    if minutes.denominator != 1:
        raise ValueError(f"{what} is {minutes} minutes: the oracle knows whole minutes only")
    return minutes.numerator


def _by_weekday(given: Mapping[str, Any]) -> tuple[Windows, ...]:
    week: list[Windows] = [()] * 7
    for days, windows in given.items():
        first, _, last = days.partition("-")
        for weekday in range(_WEEK.index(first), _WEEK.index(last or first) + 1):
            week[weekday] = _windows(windows)
    return tuple(week)


def _windows(texts: Any) -> Windows:
    found = []
    for text in texts:
        start, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in text.split("-"))
        found.append((start, end if end > start else end + DAY))
    return tuple(found)


def _usual_day(week: tuple[Windows, ...], breaks: tuple[Windows, ...], exceptions: Sequence[tuple[date, date, Windows]]) -> int:
    """The most common opening of the weekdays that open, or else of the dates; of equally common ones the longest."""
    openings = Counter[int]()
    for windows, rests in zip(week, breaks, strict=True):
        rest = {minute + later for start, end in rests for minute in range(start, end) for later in (0, DAY)}
        openings[len({minute for start, end in windows for minute in range(start, end)} - rest)] += 1
    if not any(openings):
        for first, last, windows in exceptions:
            openings[len({minute for start, end in windows for minute in range(start, end)})] += (last - first).days + 1
    del openings[0]
    return max(openings, key=lambda opening: (openings[opening], opening))
