"""Business days: the dates on which a calendar opens, found by their number.

1. A date is a business day if some open time belongs to it. A window belongs to the date on which it starts, also where it
   runs past midnight; an exception with times opens every date that it touches.
2. It begins with its first opening and ends with its last closing, which may lie in the next date.
3. An instant belongs to the date that the clocks show; but to the date before while that is not over (a night), unless its
   own date has opened.
4. A time of day that the hours reach only after midnight (``04:00`` of a night from 22:00 to 06:00) lies after that midnight.

Years are worked out when they are first asked for; then every question is a binary search.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sla.calendar.week import may_open, own_hours
from stream.sla.calendar.zone import DAY

if TYPE_CHECKING:
    from stream.sla.calendar.week import Content

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_FIRST_YEAR: Final = 1970
_END_YEAR: Final = 2200


class BusinessDay(NamedTuple):
    """A date, and the instants (epoch microseconds) at which it first opens and last closes."""

    date: int
    """Days from 1970-01-01."""
    opens: int
    closes: int


class BusinessDays:
    """The business days of a calendar in the years that calendars cover."""

    __slots__ = ("_content", "_dates", "_end", "_found", "_start")

    def __init__(self, content: Content) -> None:
        self._content: Final = content
        self._start: int = _END_YEAR
        """The years [start, end) are worked out; none at first."""
        self._end: int = _END_YEAR
        self._found: list[BusinessDay] = []
        self._dates: list[int] = []

    def on(self, day: int) -> BusinessDay | None:
        """The business day that a date is."""
        found = self.after(day, 0)
        return found if found is not None and found.date == day else None

    def after(self, day: int, count: int) -> BusinessDay | None:
        """The ``count``-th business day after a date; 0: the date itself, or else the first one after it.

        ``None`` if there are not so many before the year 2200.
        """
        self._reach(date.fromordinal(_EPOCH_DAY + max(day, 0)).year)
        while True:
            place = bisect_left(self._dates, day + 1 if count else day) + max(count - 1, 0)
            if place < len(self._found):
                return self._found[place]
            if self._end >= _END_YEAR:
                return None
            self._reach(self._end)

    def date_of(self, instant: int) -> int:
        """The date to which an instant belongs: rule 3."""
        day = self._content.zone.reading_at(instant) // DAY
        before = self.on(day - 1)
        if before is None or instant >= before.closes:
            return day
        own = self.on(day)
        return day - 1 if own is None or instant < own.opens else day

    def instant_at(self, day: BusinessDay, time: int) -> int:
        """The instant of a time of day (microseconds) on a business day: rule 4. Of two the second; of a skipped one the
        instant of the change."""
        zone, midnight = self._content.zone, day.date * DAY
        if midnight + time < zone.reading_at(day.opens) and midnight + time + DAY <= zone.reading_at(day.closes - 1) + 1:
            time += DAY
        return zone.landing(midnight + time)

    def _reach(self, year: int) -> None:
        """Work out all years up to and with this one, and those between it and what is known."""
        year = min(year, _END_YEAR - 1)
        if self._start <= year < self._end:
            return
        if not self._found and self._start == _END_YEAR:
            self._start = self._end = year
        while year < self._start:
            self._start -= 1
            self._found = [*self._of(self._start), *self._found]
        while self._end <= year:
            self._found = [*self._found, *self._of(self._end)]
            self._end += 1
        self._dates = [found.date for found in self._found]

    def _of(self, year: int) -> list[BusinessDay]:
        if not may_open(self._content, year):
            return []
        first, end = date(year, 1, 1).toordinal() - _EPOCH_DAY, date(year + 1, 1, 1).toordinal() - _EPOCH_DAY
        found = []
        for day in range(first, end):
            hours = own_hours(self._content, day)
            instants = None if hours is None else self._content.zone.instants_within(*hours)
            if instants is not None:
                found.append(BusinessDay(day, *instants))
        return found
