"""The differences between the calendars of two sets: zone, length of the working day, and the hours of each date."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from stream.deployments.facts import Change, DayChange, Fact, Hours, Part, Place
from stream.sla.calendar.week import StretchKind, pieces
from stream.sla.calendar.zone import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stream.sla.calendar.calendar import Calendar
    from stream.sla.calendar.week import Content

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
PAST_DAYS: Final = 92
"""A quarter of a year: dates before a deployment count, because open clocks are measured anew on the new calendar."""
_LAST_DAY: Final = date(2199, 12, 31).toordinal() - _EPOCH_DAY


def day_of(calendar: Calendar, instant: int) -> int:
    """The date of an instant where the calendar is, in days from 1970-01-01."""
    return calendar.zone.reading_at(instant) // DAY


def calendar_facts(before: Mapping[str, Calendar], after: Mapping[str, Calendar]) -> list[Fact]:
    """Calendars that come and go, other zones, other lengths of a working day."""
    facts = []
    for name, new in after.items():
        place = Place(calendar=name)
        old = before.get(name)
        if old is None:
            facts.append(Fact(Change.ADDED, place))
            continue
        if old.timezone != new.timezone or old.zone != new.zone:
            facts.append(Fact(Change.CHANGED, place, Part.TIMEZONE, old.timezone, new.timezone))
        if old.day != new.day:
            facts.append(Fact(Change.CHANGED, place, Part.DAY, old.day, new.day))
    return facts + [Fact(Change.WITHDRAWN, Place(calendar=name)) for name in before if name not in after]


def changed_days(before: Mapping[str, Calendar], after: Mapping[str, Calendar], at: int, days: int) -> Iterator[DayChange]:
    """The dates with other hours, of calendars that both sets have.

    From ``PAST_DAYS`` before that of the instant ``at`` until ``days`` have passed from it on.
    """
    for name, new in after.items():
        old = before.get(name)
        if old is None or old.content is new.content or old.content == new.content:
            continue
        today = day_of(new, at)
        for day in range(max(today - PAST_DAYS, 0), min(today + days, _LAST_DAY + 1)):
            was, now = _hours(old.content, day), _hours(new.content, day)
            if was.windows != now.windows:
                yield DayChange(name, date.fromordinal(_EPOCH_DAY + day), was, now)


def _hours(content: Content, day: int) -> Hours:
    """The open hours that lie on a date. The note is that of a holiday or exception on it."""
    midnight = day * DAY
    windows: list[tuple[int, int]] = []
    notes: dict[str, None] = {}
    for start, end, kind, note in pieces(content, day):
        if note and note != "break":
            notes[note] = None
        if kind is not StretchKind.OPEN:
            continue
        if windows and windows[-1][1] == start - midnight:
            start = windows.pop()[0] + midnight
        windows.append((start - midnight, end - midnight))
    return Hours(tuple(windows), "; ".join(notes))
