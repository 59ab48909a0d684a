"""The content of a calendar, as pure data, and what follows from it for one date.

Everything here is in *readings*: microseconds on the clocks of the calendar's zone, counted from 1970-01-01 00:00
there. No offset of any zone is known here; ``stream.sla.calendar.calendar`` carries readings over to instants.

Longer than 250 lines because the parts of a calendar are read beside the derivation of one day from them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sla.calendar.zone import DAY, Zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_YEARS: Final = range(1969, 2201)
"""Local dates of the instants from 1970 to 2199, and the nights before them."""
_MARGIN: Final = timedelta(days=2)
"""The greatest distance by which a window leaves its date: a night, and the offset of a zone."""


class StretchKind(StrEnum):
    """Whether business time passes, and whether a holiday is why it does not."""

    OPEN = "open"
    CLOSED = "closed"
    HOLIDAY = "holiday"


class Window(NamedTuple):
    """Hours of a day, microseconds from its midnight: [start, end).

    ``start`` is below 24 hours. ``end`` may lie up to 24 hours after ``start``, hence in the next day; the window
    still belongs to the day it starts on.
    """

    start: int
    end: int


Windows = tuple[Window, ...]
Week = tuple[Windows, Windows, Windows, Windows, Windows, Windows, Windows]
"""Windows by weekday, Monday first."""

CLOSED_WEEK: Final[Week] = ((), (), (), (), (), (), ())
OPEN_WEEK: Final[Week] = ((Window(0, DAY),),) * 7


@dataclass(frozen=True, slots=True)
class Holiday:
    """A named day that is closed, or open in its own windows only (a half holiday)."""

    name: str
    windows: Windows = ()


class Holidays:
    """The holidays of all years that calendars cover. A year is worked out when it is first asked for.

    Two are equal if they have the same holidays on the same dates, whatever these come from.
    """

    def __init__(self, of_year: Callable[[int], Mapping[date, Holiday]]) -> None:
        self._of_year: Final = of_year
        self._known: Final[dict[int, dict[date, Holiday]]] = {}

    @classmethod
    def listed(cls, days: Mapping[date, Holiday]) -> Holidays:
        """These holidays and no others."""
        years: dict[int, dict[date, Holiday]] = {}
        for day, holiday in days.items():
            years.setdefault(day.year, {})[day] = holiday
        return cls(lambda year: years.get(year, {}))

    def of(self, year: int) -> Mapping[date, Holiday]:
        """The holidays of one year, in order."""
        known = self._known.get(year)
        if known is None:
            found = self._of_year(year)
            known = self._known[year] = {day: found[day] for day in sorted(found) if day.year == year}
        return known

    def days(self) -> dict[date, Holiday]:
        """All holidays, in order. This works out every year: some 50 ms for a country."""
        return {day: holiday for year in _YEARS for day, holiday in self.of(year).items()}

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Holidays) and all(self.of(year) == other.of(year) for year in _YEARS))

    def __hash__(self) -> int:
        raise TypeError("holidays are not hashed: it would take every year of them")


NO_HOLIDAYS: Final = Holidays.listed({})


@dataclass(frozen=True, slots=True)
class Version:
    """The ordinary content from a local date on, until the next version begins."""

    since: date
    """``date.min`` for the first."""
    week: Week
    breaks: Week = CLOSED_WEEK
    """Cut out of the windows of the same weekday, after midnight too where a window runs past it."""
    holidays: Holidays = NO_HOLIDAYS


@dataclass(frozen=True, slots=True)
class DateException:
    """Dates, both included, with these windows instead of their own; none means closed. Breaks do not cut them."""

    first: date
    last: date
    windows: Windows
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReadingException:
    """All that the clocks show from ``start`` to before ``end`` is open, or is closed, whatever else is stated."""

    start: int
    end: int
    open: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """A whole calendar. Of exceptions that overlap the later in the list holds."""

    zone: Zone
    versions: tuple[Version, ...]
    """At least one, in the order of ``since``, the first since ``date.min``."""
    dates: tuple[DateException, ...] = ()
    readings: tuple[ReadingException, ...] = ()
    day: int | None = None
    """Microseconds of one working day, whole seconds; ``None``: as ``usual_opening`` finds."""


class Piece(NamedTuple):
    """Readings [start, end) of one kind, and why."""

    start: int
    end: int
    kind: StretchKind
    note: str


class _Shift(NamedTuple):
    """The windows that start on a date, and what the rest of that date is."""

    opens: Windows
    breaks: Windows
    rest: StretchKind
    note: str


def pieces(content: Content, day: int) -> list[Piece]:
    """The readings of one date, from midnight to midnight, without a hole. ``day`` counts from 1970-01-01.

    Precedence: exceptions by reading, exceptions by date, holidays, week. A window that runs past midnight comes in
    whole from the date it starts on, whatever the next date is. Where windows of two dates overlap it is open.
    """
    before, today = _shift(content, day - 1), _shift(content, day)
    layers = [Piece(0, DAY, today.rest, today.note)]
    layers += [Piece(start - DAY, end - DAY, StretchKind.CLOSED, "break") for start, end in before.breaks]
    layers += [Piece(start, end, StretchKind.CLOSED, "break") for start, end in today.breaks]
    layers += [Piece(start - DAY, end - DAY, StretchKind.OPEN, before.note) for start, end in before.opens if end > DAY]
    layers += [Piece(start, end, StretchKind.OPEN, today.note) for start, end in today.opens]
    midnight = day * DAY
    layers += [
        Piece(
            stated.start - midnight, stated.end - midnight, StretchKind.OPEN if stated.open else StretchKind.CLOSED, stated.note
        )
        for stated in content.readings
        if stated.start < midnight + DAY and midnight < stated.end
    ]
    edges = {edge for layer in layers for edge in layer[:2] if 0 < edge < DAY} | {0, DAY}
    found = []
    for start, end in pairwise(sorted(edges)):
        top = next(layer for layer in reversed(layers) if layer.start <= start and end <= layer.end)
        found.append(Piece(midnight + start, midnight + end, top.kind, top.note))
    return found


def usual_day(version: Version) -> int:
    """The most common opening of the weekdays that open, in microseconds, breaks taken off; 0 if none opens.

    Of equally common ones the longest.
    """
    openings = [
        sum(end - start for start, end in _union(_cut(windows, breaks)[0]))
        for windows, breaks in zip(version.week, version.breaks, strict=True)
    ]
    counts = Counter(opening for opening in openings if opening)
    return max(counts, key=lambda opening: (counts[opening], opening), default=0)


def own_hours(content: Content, day: int) -> tuple[int, int] | None:
    """The readings of the first opening and the last closing that belong to a date; ``None`` if nothing opens on it.

    A window belongs to the date on which it starts; an exception with times opens every date that it touches.
    """
    midnight = day * DAY
    opens = [(midnight + start, midnight + end) for start, end in _shift(content, day).opens]
    for exception in content.readings:
        if not exception.open:
            opens = [
                part for start, end in opens for part in ((start, min(end, exception.start)), (max(start, exception.end), end))
            ]
        elif exception.start < midnight + DAY and midnight < exception.end:
            opens.append((max(exception.start, midnight), min(exception.end, midnight + DAY)))
        opens = [(start, end) for start, end in opens if start < end]
    return (min(start for start, _ in opens), max(end for _, end in opens)) if opens else None


def usual_opening(content: Content) -> int:
    """The usual day of the newest week that opens. If none does, the most common opening of the stated dates, the longest of
    equally common ones, in microseconds; 0 if the calendar never opens.
    """
    for version in reversed(content.versions):
        if opening := usual_day(version):
            return opening
    counts = Counter[int]()
    for stated in content.dates:
        counts[_length(stated.windows)] += (stated.last - stated.first).days + 1
    for version in content.versions:
        counts.update(_length(holiday.windows) for holiday in version.holidays.days().values())
    counts.update(min(stated.end - stated.start, DAY) for stated in content.readings if stated.open)
    del counts[0]
    return max(counts, key=lambda opening: (counts[opening], opening), default=0)


def may_open(content: Content, year: int) -> bool:
    """Whether anything opens the calendar on a date of the year, or shortly before or after it. False is certain."""
    first, last = date(year, 1, 1) - _MARGIN, date(year, 12, 31) + _MARGIN
    if any(stated.windows and stated.first <= last and first <= stated.last for stated in content.dates):
        return True
    start, end = ((day.toordinal() - _EPOCH_DAY) * DAY for day in (first, last))
    if any(stated.open and stated.start < end and start < stated.end for stated in content.readings):
        return True
    replaced = (*(version.since for version in content.versions[1:]), date.max)
    for version, until in zip(content.versions, replaced, strict=True):
        if version.since > last or until <= first:
            continue
        if any(version.week) or any(
            holiday.windows for near in (year - 1, year, year + 1) for holiday in version.holidays.of(near).values()
        ):
            return True
    return False


def _length(windows: Windows) -> int:
    return sum(end - start for start, end in _union(windows))


def _shift(content: Content, day: int) -> _Shift:
    today = date.fromordinal(_EPOCH_DAY + day)
    for stated in reversed(content.dates):
        if stated.first <= today <= stated.last:
            return _Shift(stated.windows, (), StretchKind.CLOSED, stated.note)
    versions = content.versions
    version = versions[bisect_right(versions, today, key=lambda version: version.since) - 1]
    holiday = version.holidays.of(today.year).get(today)
    if holiday is not None:
        return _Shift(holiday.windows, (), StretchKind.HOLIDAY, holiday.name)
    weekday = today.weekday()
    opens, breaks = _cut(version.week[weekday], version.breaks[weekday])
    return _Shift(opens, breaks, StretchKind.CLOSED, "")


@lru_cache(maxsize=4096)
def _cut(windows: Windows, breaks: Windows) -> tuple[Windows, Windows]:
    """The parts of a day's windows outside its breaks, and the parts inside."""
    breaks += tuple(Window(start + DAY, end + DAY) for start, end in breaks)
    left = list(windows)
    taken = []
    for begin, finish in breaks:
        rest = []
        for start, end in left:
            if finish <= start or end <= begin:
                rest.append(Window(start, end))
                continue
            taken.append(Window(max(start, begin), min(end, finish)))
            if start < begin:
                rest.append(Window(start, begin))
            if finish < end:
                rest.append(Window(finish, end))
        left = rest
    return tuple(left), tuple(taken)


def _union(windows: Iterable[Window]) -> list[Window]:
    merged: list[Window] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1].end:
            merged[-1] = Window(merged[-1].start, max(end, merged[-1].end))
        else:
            merged.append(Window(start, end))
    return merged
