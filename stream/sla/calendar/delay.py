"""Delays in business days: ``+5 business days``, ``+1 business day at 16:00``, ``+0 business days at close cutoff 15:00``.

A delay ends on a business day of the calendar (``stream.sla.calendar.business_days``), at a time of day. From a start:

1. Counting begins with the date to which the start belongs. With a cut-off, a start after that time, or on a date that is no
   business day, counts as if it were on the next business day.
2. ``+n``: the n-th business day after that date. ``+0``: that date itself, or the next business day.
3. ``at 16:00``: that time. ``at close``: when the day's hours end. Neither: the time of day of the start.
4. If that is not after the start, the next business day is meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stream.sla.calendar.zone import DAY

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar

_SECOND: Final = 1_000_000
_FORM: Final = re.compile(r"\+([0-9]+) business days?(?: at (close|[0-9:]+))?(?: cutoff ([0-9:]+))?")
_TIME: Final = re.compile(r"([0-9]{2}):([0-5][0-9])(?::([0-5][0-9]))?")
_MOST_DIGITS: Final = 3
_FORMS: Final = (
    "write `+5 business days` (at the same time of day), `+1 business day at 16:00` or `+1 business day at close`, each with "
    "` cutoff 15:00` where needed; `+0 business days` needs an `at`"
)


class DelayError(ValueError):
    """The text is not a delay in business days; the message states what is wrong and what is accepted."""


@dataclass(frozen=True, slots=True)
class Delay:
    """So many business days, and where on the last of them it ends. Times are microseconds from midnight."""

    days: int
    close: bool = False
    """It ends with the hours of the day."""
    time: int | None = None
    """It ends at this time; ``None``, unless ``close``: at the time of day of the start."""
    cutoff: int | None = None
    """A later start counts from the next business day."""

    @classmethod
    def parse(cls, text: str) -> Delay:
        """Raises DelayError."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise DelayError(f"{text!r} is not a delay in business days: {_FORMS}")
        days, at, until = match.groups()
        if len(days.lstrip("0")) > _MOST_DIGITS:
            raise DelayError(f"{text!r} is too long: a delay has at most 999 business days")
        close = at == "close"
        time = None if at is None or close else _time(text, at, DAY, "00:00 to 24:00")
        cutoff = None if until is None else _time(text, until, DAY - _SECOND, "00:00 to 23:59:59")
        if not int(days) and at is None:
            raise DelayError(f"{text!r} ends when it starts: write `{text} at 16:00` or `{text} at close`")
        return cls(int(days), close, time, cutoff)

    def end(self, calendar: Calendar, start: int) -> int | None:
        """The instant at which it ends that begins at ``start`` (epoch microseconds).

        ``None`` if the calendar has no such business day.
        """
        days = calendar.business_days
        base = days.date_of(start)
        since_midnight = calendar.zone.reading_at(start) - base * DAY
        if self.cutoff is not None:
            own = days.on(base)
            if own is None or start > days.instant_at(own, self.cutoff):
                following = days.after(base, 1)
                if following is None:
                    return None
                base = following.date
        day = days.after(base, self.days)
        while day is not None:
            if self.close:
                end = day.closes
            elif self.time is not None:
                end = days.instant_at(day, self.time)
            else:
                end = calendar.zone.landing(day.date * DAY + since_midnight)
            if end > start:
                return end
            day = days.after(day.date, 1)
        return None


def _time(text: str, time: str, latest: int, range_: str) -> int:
    """Microseconds from midnight of ``16:00`` or ``16:00:30``. Raises DelayError."""
    match = _TIME.fullmatch(time)
    if match is not None:
        hour, minute, second = (int(part or 0) for part in match.groups())
        micros = ((hour * 60 + minute) * 60 + second) * _SECOND
        if micros <= latest:
            return micros
    raise DelayError(f"{text!r}: {time} is not a time of day: use {range_}")
