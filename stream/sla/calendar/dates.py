"""Dates and instants as helpdesks write them in ticket fields: text to epoch microseconds.

A date is the midnight with which it begins in a zone. A time without an offset is local time in the zone: if the clocks show it
twice, the first instant is meant; if they skip it, the instant of the change. A time with an offset is that instant.
A leap second, 23:59:60 UTC, counts as the second after it, as in the time of an event (``stream.wire.leap_second``).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

from stream.sla.calendar.zone import DAY, EPOCH

if TYPE_CHECKING:
    from stream.sla.calendar.zone import Zone

ACCEPTED: Final = "write a date (2026-03-02), or a time (2026-03-02T09:30 or 2026-03-02T09:30:00+01:00)"
_FORM: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?)?", re.ASCII | re.IGNORECASE
)
_LEAP_SECOND: Final = re.compile(r"(?<=[T ])(\d\d:\d\d:)60", re.ASCII)
_MINUTE: Final = 60_000_000
_MINUTES_A_DAY: Final = 1_440
_YEARS: Final = range(1970, 2200)


class DateError(ValueError):
    """The text is neither a date nor a time; the message states what is wrong."""


def instant_of(text: str, zone: Zone) -> int:
    """Epoch microseconds of a date or a time. Raises DateError."""
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise DateError(f"is neither a date nor a time: {ACCEPTED}")
    leap = _LEAP_SECOND.sub(r"\g<1>59", text.strip().upper())
    if leap != text.strip().upper():
        second = instant_of(leap, zone)
        if second // _MINUTE % _MINUTES_A_DAY != _MINUTES_A_DAY - 1:
            raise DateError(f"is not a date that exists: {ACCEPTED}")
        return second + 1_000_000
    try:
        moment = datetime.fromisoformat(text.strip().upper())
    except ValueError as error:
        raise DateError(f"is not a date that exists: {ACCEPTED}") from error
    if moment.year not in _YEARS:
        raise DateError("is outside the years 1970 to 2199")
    if moment.tzinfo is not None:
        since = moment - EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    days = moment.toordinal() - EPOCH.toordinal()
    reading = days * DAY + ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond
    return min(zone.instants_of(reading), default=zone.landing(reading))
