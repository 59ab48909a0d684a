"""Business time: when a helpdesk is open, how much of it passes, and when an amount of it is used up.

The rule from which everything follows: **an instant is open if and only if its local reading (weekday, date and
time of day in the calendar's zone) is one that the calendar opens.** Hence a window edge that falls into a skipped
hour takes effect at the instant of the change; a repeated hour inside a window counts twice; of a repeated hour
that lies only partly in a window, that part is open in both passes; and a date that a zone skipped altogether never
was.

Open spans are half-open. An amount that is used up exactly at closing time ends at the closing instant.

How it is fast: with the spans go their running totals, so that adding and measuring are two look-ups each.
Years are worked out when they are first asked for.

Longer than 250 lines because adding and measuring are inverse to each other and are read together.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, timedelta
from typing import Final, NamedTuple

from stream.sla.calendar.business_days import BusinessDays
from stream.sla.calendar.open_spans import BUCKET, OpenSpans, index_spans
from stream.sla.calendar.week import (
    CLOSED_WEEK,
    NO_HOLIDAYS,
    OPEN_WEEK,
    Content,
    StretchKind,
    Version,
    may_open,
    pieces,
    usual_opening,
)
from stream.sla.calendar.zone import DAY, EPOCH, UTC_ZONE, Zone

_FIRST_YEAR: Final = 1970
_END_YEAR: Final = 2200
_YEAR: Final = 366 * DAY


class CalendarRangeError(ValueError):
    """An instant, or the end of an amount, lies outside the years 1970 to 2199 that calendars reach."""


class Stretch(NamedTuple):
    """Instants [start, end) of one kind (epoch microseconds).

    ``note`` gives the reason: the name of a holiday, the note of an exception, or ``break``.
    """

    start: int
    end: int
    kind: StretchKind
    note: str


class Calendar:
    """Working hours of one place: what it has of the past and the future depends on its content alone.

    ``day`` is the length of one working day (``1bd``) in microseconds: stated, or the usual one (``usual_opening``).
    """

    __slots__ = ("_always", "_spans", "business_days", "content", "day", "name", "timezone", "zone")

    def __init__(self, name: str, content: Content) -> None:
        """Raises ValueError when no working day is stated and the calendar never opens."""
        self.name: Final = name
        self.timezone: Final = content.zone.name
        self.zone: Final = content.zone
        self.content: Final = content
        self.business_days: Final = BusinessDays(content)
        newest = content.versions[-1]
        self.day: Final = content.day if content.day is not None else usual_opening(content)
        if self.day <= 0:
            raise ValueError(f"calendar {name!r} never opens, so its working day must be stated")
        self._always: Final = (
            len(content.versions) == 1
            and (newest.week, newest.breaks) == (OPEN_WEEK, CLOSED_WEEK)
            and not content.dates
            and not content.readings
            and newest.holidays == NO_HOLIDAYS
        )
        self._spans: OpenSpans = (1, 0, [], [], [], [], [])  # holds no instant: the first question fills it

    @property
    def always_open(self) -> bool:
        """It never closes."""
        return self._always

    def __repr__(self) -> str:
        return f"<Calendar {self.name} in {self.timezone}>"

    def add(self, instant: int, micros: int) -> int:
        """Spend business time from an instant on; negative: backwards.

        Forwards it is the earliest instant ``u`` with ``measure(instant, u) == micros``, backwards the latest.
        Nothing to spend: ``instant``.

        Raises CalendarRangeError.
        """
        if self._always:
            _check(instant)
            _check(instant + micros)
            return instant + micros
        ahead = 0
        while True:
            first, last, near_time, near_total, starts, shifts, totals = self._spans
            if first <= instant <= last:
                i = near_time[(instant - first) >> BUCKET]
                while starts[i] <= instant:
                    i += 1
                used = instant - shifts[i]
                if used > totals[i]:
                    used = totals[i]
                target = used + micros
                if micros > 0:
                    if target <= totals[i]:
                        return target + shifts[i]
                    if target <= totals[-1]:
                        i = near_total[target >> BUCKET]
                        while totals[i] < target:
                            i += 1
                        return target + shifts[i]
                    self._reach_on(last + ahead)
                    ahead = ahead * 2 or _YEAR
                elif micros:
                    if target >= 0:
                        i = near_total[target >> BUCKET]
                        while totals[i] <= target:
                            i += 1
                        return target + shifts[i]
                    self._reach_on(first - 1 - ahead)
                    ahead = ahead * 2 or _YEAR
                else:
                    return instant
            else:
                self._reach(instant)

    def after(self, instant: int, micros: int) -> int | None:
        """As ``add``; ``None`` if the calendar is not open that long after the instant, or (backwards) before it.

        So it is with a calendar that is open on stated dates only, once they are over.
        """
        try:
            return self.add(instant, micros)
        except CalendarRangeError:
            return None

    def closes_for_good(self) -> int | None:
        """The instant after which it never opens again; ``None`` if it is open up to the last year, or never opens at all."""
        for year in range(_END_YEAR - 1, _FIRST_YEAR - 1, -1):
            if may_open(self.content, year):
                if year == _END_YEAR - 1:
                    return None
                if spans := self._open(year, year + 2):
                    return spans[-1][1]
        return None

    def measure(self, start: int, end: int) -> int:
        """Business microseconds from ``start`` to ``end``; negative when ``end`` comes first.

        Raises CalendarRangeError.
        """
        if self._always:
            _check(start)
            _check(end)
            return end - start
        if end < start:
            return -self.measure(end, start)
        while True:
            first, last, near_time, _, starts, shifts, totals = self._spans
            if first <= start and end <= last:
                i = near_time[(start - first) >> BUCKET]
                while starts[i] <= start:
                    i += 1
                before = start - shifts[i]
                if before > totals[i]:
                    before = totals[i]
                i = near_time[(end - first) >> BUCKET]
                while starts[i] <= end:
                    i += 1
                after = end - shifts[i]
                if after > totals[i]:
                    return totals[i] - before
                return after - before
            self._reach(start)
            self._reach(end)

    def is_open(self, instant: int) -> bool:
        """Whether business time passes from this instant on. The closing instant is closed.

        Raises CalendarRangeError.
        """
        _, _, _, _, starts, shifts, totals = self._around(instant)
        i = bisect_right(starts, instant)
        return instant - shifts[i] < totals[i]

    def next_change(self, instant: int) -> int | None:
        """The first instant after this one at which the calendar opens or closes; ``None`` if it never does again.

        Raises CalendarRangeError.
        """
        if self._always:
            return None
        ahead = 0
        while True:
            _, last, _, _, starts, shifts, totals = self._around(instant)
            i = bisect_right(starts, instant)
            closing = totals[i] + shifts[i]
            change = closing if instant < closing else starts[i]
            if change < last:
                return change
            if last == _END:
                return None
            self._reach_on(last + ahead)
            ahead = ahead * 2 or _YEAR

    def stretches(self, start: int, end: int) -> list[Stretch]:
        """The consecutive pieces that make up [start, end), with the reason of each; for explanations, not for the
        hot path.

        Raises CalendarRangeError.
        """
        _check(start)
        _check(end)
        if self._always:
            return [Stretch(start, end, StretchKind.OPEN, "")] if start < end else []
        found: list[Stretch] = []
        for begin, finish, offset in self.zone.segments(start, end):
            for day in range((begin + offset) // DAY, (finish + offset - 1) // DAY + 1):
                for piece in pieces(self.content, day):
                    low, high = max(piece.start - offset, begin), min(piece.end - offset, finish)
                    if low >= high:
                        continue
                    if found and found[-1][2:] == piece[2:]:
                        low = found.pop().start
                    found.append(Stretch(low, high, piece.kind, piece.note))
        return found

    def _around(self, instant: int) -> OpenSpans:
        if instant == _END:
            raise CalendarRangeError(f"calendars end before the year {_END_YEAR}")
        while True:
            spans = self._spans
            if spans[0] <= instant < spans[1]:
                return spans
            self._reach(instant)

    def _reach_on(self, instant: int) -> None:
        """As ``_reach``, as far as calendars go; an error once there is nowhere left to go.

        Callers go on by doubling steps: a calendar that hardly ever opens is not indexed anew for every year.
        """
        first, last, *_ = self._spans
        if instant >= last == _END or instant < first == _FIRST:
            raise CalendarRangeError(f"{self!r} is not open that long between {_FIRST_YEAR} and {_END_YEAR - 1}")
        self._reach(min(max(instant, _FIRST), _END))

    def _reach(self, instant: int) -> None:
        """Work out all years up to and with that of the instant; the last instant of all belongs to the year it ends.

        The new lists replace the old in one assignment: another thread sees the one or the other.
        """
        _check(instant)
        year = min(_year(instant), _END_YEAR - 1)
        first, last, _, _, starts, shifts, totals = self._spans
        if not starts:
            self._spans = index_spans(_midnight(year), _midnight(year + 1), self._open(year, year + 1))
            return
        if first <= _midnight(year) < last:
            return
        known = [(start, total + shift) for start, shift, total in zip(starts[:-1], shifts[1:], totals[1:], strict=True)]
        if instant < first:
            self._spans = index_spans(_midnight(year), last, [*self._open(year, _year(first)), *known])
        else:
            self._spans = index_spans(first, _midnight(year + 1), [*known, *self._open(_year(last), year + 1)])

    def _open(self, year: int, end_year: int) -> list[tuple[int, int]]:
        spans: list[tuple[int, int]] = []
        for each in range(year, end_year):
            if may_open(self.content, each):
                found = self.stretches(_midnight(each), _midnight(each + 1))
                spans += [(start, end) for start, end, kind, _ in found if kind is StretchKind.OPEN]
        return spans


def always(name: str = "24x7", zone: Zone = UTC_ZONE) -> Calendar:
    """A calendar that never closes; only months and the display of deadlines depend on its zone."""
    return Calendar(name, Content(zone, (Version(date.min, OPEN_WEEK),)))


def _midnight(year: int) -> int:
    """1 January of the year, 00:00 UTC."""
    return (date(year, 1, 1).toordinal() - EPOCH.toordinal()) * DAY


def _year(instant: int) -> int:
    return (EPOCH + timedelta(microseconds=instant)).year


_FIRST: Final = _midnight(_FIRST_YEAR)
_END: Final = _midnight(_END_YEAR)


def _check(instant: int) -> None:
    if not _FIRST <= instant <= _END:
        raise CalendarRangeError(
            f"an instant {instant / 1e6:.0f} s from 1970 lies outside the years {_FIRST_YEAR} to {_END_YEAR - 1}"
        )
