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
_TIME: Final = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?"
_FORM: Final = re.compile(rf"\+([0-9]{{1,3}}) business days?(?: at (?:(close)|{_TIME}))?(?: cutoff {_TIME})?")


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
    def parse(cls, text: str) -> Delay | None:
        """``None`` if the text is no delay."""
        match = _FORM.fullmatch(text)
        if match is None:
            return None
        days, close, *parts = match.groups()
        time, cutoff = _time(parts[:3]), _time(parts[3:])
        if (time is not None and time > DAY) or (cutoff is not None and cutoff >= DAY):
            return None
        if not int(days) and time is None and not close:
            return None
        return cls(int(days), close is not None, time, cutoff)

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


def _time(parts: list[str | None]) -> int | None:
    if parts[0] is None:
        return None
    hour, minute, second = (int(part or 0) for part in parts)
    return ((hour * 60 + minute) * 60 + second) * _SECOND if minute < 60 and second < 60 else 2 * DAY
