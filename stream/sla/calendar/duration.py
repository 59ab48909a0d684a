"""Lengths of time as a policy writes them: ``30m``, ``1h30m``, ``4bh``, ``10bm``, ``2bd4bh``, ``1w``, ``1mo``,
``+1 business day at 16:00``.

A duration runs either on the wall (``s m h d w mo``) or on a calendar's business time (``bs bm bh bd``), never on both:
``1d4bh`` from Friday noon has no one meaning. Only a calendar and a starting instant make it an
``Amount``: a working day is as long as in the calendar, a month as long as the months at hand. A delay in business days
(``stream.sla.calendar.delay``) is the business time up to its end, so that pauses, shares and extensions count as with any
other duration.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sla.calendar.delay import Delay, DelayError
from stream.sla.calendar.zone import DAY

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar

_SECOND: Final = 1_000_000
_WALL: Final = {"s": _SECOND, "m": 60 * _SECOND, "h": 3600 * _SECOND, "d": DAY, "w": 7 * DAY}
_BUSINESS: Final = {"bs": _SECOND, "bm": 60 * _SECOND, "bh": 3600 * _SECOND}
_UNITS: Final = (*_WALL, "mo", *_BUSINESS, "bd")
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]+)")
_ACCEPTED: Final = "write numbers with units, such as 30m, 1h30m, 1.5h, 4bh, 10bm, 2bd4bh, 1w or 1mo"
_PER_DAY: Final = 1_000_000
"""Working days are kept in millionths: a calendar's day is whole seconds, so any of them is whole microseconds."""
_LONGEST: Final = 36_525 * DAY
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


NEVER: Final = 1 << 62
"""Microseconds of business time that no calendar has: of a delay to a business day that does not come."""


class DurationError(ValueError):
    """The text is not a duration; the message names what is wrong and what is accepted."""


class Clock(StrEnum):
    """The kind of time in which a length is counted."""

    WALL = "wall"
    BUSINESS = "business"


class Amount(NamedTuple):
    """A length ready to be spent."""

    clock: Clock
    micros: int
    not_before: int = 0
    """An instant before which it is not over, though its business time may be used up by then; 0: there is none."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A positive length: its text, and the sum of ``micros``, ``months`` and ``day_millionths`` that the text stands for."""

    text: str
    clock: Clock
    micros: int
    months: int = 0
    day_millionths: int = 0
    delay: Delay | None = None
    """It ends on a business day; there is no other part then."""
    _amounts: dict[int, Amount] = field(default_factory=dict, init=False, repr=False, compare=False)
    """By the length of a working day: what was resolved before, where no months are in it."""

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read ``1h30m``, ``0.5bh``, ``2bd4bh``, ``1mo``... Decimals are exact.

        Raises DurationError.
        """
        parts = _split(text)
        clocks = {Clock.BUSINESS if unit == "bd" or unit in _BUSINESS else Clock.WALL for unit in parts}
        if len(clocks) > 1:
            raise DurationError(
                f"{text!r} mixes wall time (s m h d w mo) with business time (bs bm bh bd): write all of it in one of the two"
            )
        micros = months = day_millionths = 0
        for unit, count in parts.items():
            if unit == "mo":
                months = _whole(text, count, 1, "whole months")
            elif unit == "bd":
                day_millionths = _whole(text, count, _PER_DAY, "working days of at most six decimals")
            else:
                micros += _whole(text, count, (_WALL | _BUSINESS)[unit], "whole microseconds")
        longest = micros + months * 31 * DAY + day_millionths * DAY // _PER_DAY
        if longest == 0:
            raise DurationError(f"{text!r} is not a length of time: {_ACCEPTED}")
        if longest > _LONGEST:
            raise DurationError(f"{text!r} is longer than a hundred years: {_ACCEPTED}")
        return cls(text, clocks.pop(), micros, months, day_millionths)

    @classmethod
    def parse_any(cls, text: str) -> Duration:
        """Read a length, or a delay: ``+1 business day at 16:00``.

        Raises DurationError.
        """
        if not text.startswith("+"):
            return cls.parse(text)
        try:
            delay = Delay.parse(text)
        except DelayError as error:
            raise DurationError(str(error)) from error
        return cls(text, Clock.BUSINESS, 0, delay=delay)

    def resolve(self, calendar: Calendar, start: int) -> Amount:
        """The length from ``start`` (epoch microseconds) on, by the working day and the months of ``calendar``.

        A month leads to the same day of the month and time of day in the calendar's zone, or to the last day of a
        shorter month (31 January + ``1mo`` is 28 or 29 February). If that reading occurs twice, the second is
        meant; if it is skipped, the instant of the change. Other units are added after the months.

        Of a delay it is the business time up to its end; ``NEVER`` if the calendar has no such business day.
        """
        if self.delay is not None:
            return _amount_of(self.delay, calendar, start)
        if self.months:
            return Amount(self.clock, _add_months(calendar, start, self.months) - start + self.micros)
        amount = self._amounts.get(calendar.day)
        if amount is None:
            amount = Amount(self.clock, self.micros + self.day_millionths * calendar.day // _PER_DAY)
            self._amounts[calendar.day] = amount
        return amount


def _amount_of(delay: Delay, calendar: Calendar, start: int) -> Amount:
    end = delay.end(calendar, start)
    if end is None:
        return Amount(Clock.BUSINESS, NEVER)
    micros = calendar.measure(start, end)
    return Amount(Clock.BUSINESS, micros, end if calendar.add(start, micros) < end else 0)


def _split(text: str) -> dict[str, Fraction]:
    """Unit to count; every character of the text is accounted for."""
    if not text or len(text) > 64:
        raise DurationError(f"a duration of {len(text)} characters: {_ACCEPTED}")
    if text.startswith("+"):
        raise DurationError(f"{text!r} is not a length: here {_ACCEPTED}")
    if "business" in text:
        raise DurationError(f"{text!r} is not a length: {_ACCEPTED}; a delay begins with +, as in `+1 business day at 16:00`")
    if text.startswith("-"):
        raise DurationError(f"{text!r} is negative: a duration is a length; {_ACCEPTED}")
    parts: dict[str, Fraction] = {}
    place = 0
    while place < len(text):
        match = _PART.match(text, place)
        if match is None:
            wanted = "write it without spaces" if any(map(str.isspace, text)) else _ACCEPTED
            raise DurationError(f"{text!r} is not understood from {text[place:]!r} on: {wanted}")
        number, unit = match.groups()
        if unit not in _UNITS:
            small = f"write `{unit.lower()}`; " if unit.lower() in _UNITS else ""
            raise DurationError(f"{text!r} has the unknown unit {unit!r}: {small}units are {' '.join(_UNITS)}")
        if unit in parts:
            raise DurationError(f"{text!r} gives {unit!r} twice: add the two up")
        parts[unit] = Fraction(number)
        place = match.end()
    return parts


def _whole(text: str, count: Fraction, scale: int, what: str) -> int:
    scaled = count * scale
    if scaled.denominator != 1:
        raise DurationError(f"{text!r} is finer than can be kept: give {what}")
    return scaled.numerator


def _add_months(calendar: Calendar, start: int, months: int) -> int:
    days, time_of_day = divmod(calendar.zone.reading_at(start), DAY)
    day = date.fromordinal(_EPOCH_DAY + days)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    clipped = min(day.day, monthrange(year, month + 1)[1])
    return calendar.zone.landing((date(year, month + 1, clipped).toordinal() - _EPOCH_DAY) * DAY + time_of_day)
