"""Time zones, as stretches of constant offset.

A *reading* is what a clock on the wall of a zone shows, as microseconds since it showed 1970-01-01 00:00. A zone
maps every instant to one reading; a reading may belong to no instant (it was skipped), to one, or to two (it was
repeated).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

DAY: Final = 86_400_000_000
"""Microseconds of 24 hours."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)


class Segment(NamedTuple):
    """Instants from ``start`` to before ``end``, in which reading = instant + ``offset``."""

    start: int
    end: int
    offset: int


def offset_at(zone: ZoneInfo, instant: int) -> int:
    """Reading minus instant, in microseconds."""
    offset = (EPOCH + timedelta(microseconds=instant)).astimezone(zone).utcoffset()
    assert offset is not None
    return offset // _MICRO


def reading_at(zone: ZoneInfo, instant: int) -> int:
    """What the clocks of the zone show at an instant."""
    return instant + offset_at(zone, instant)


def segments(zone: ZoneInfo, start: int, end: int) -> list[Segment]:
    """The stretches of constant offset that make up [start, end)."""
    # Sampling every four days finds every change: since 1970 no zone has changed its offset twice within six.
    found: list[Segment] = []
    begun, offset = start, offset_at(zone, start)
    low = start
    while low < end:
        high = min(low + 4 * DAY, end)
        after = offset_at(zone, high)
        if after != offset:
            change = _change(zone, low, high, offset)
            if change < end:
                found.append(Segment(begun, change, offset))
                begun, offset = change, after
        low = high
    if begun < end:
        found.append(Segment(begun, end, offset))
    return found


def instants_of(zone: ZoneInfo, reading: int) -> tuple[int, ...]:
    """The instants at which the clocks of the zone show the reading: none, one or two, in order."""
    return tuple(
        reading - offset
        for start, end, offset in segments(zone, reading - 2 * DAY, reading + 2 * DAY)
        if start <= reading - offset < end
    )


def landing(zone: ZoneInfo, reading: int) -> int:
    """The instant of a reading that ends something: of two the second; of a skipped one the instant of the change."""
    if found := instants_of(zone, reading):
        return found[-1]
    around = segments(zone, reading - 2 * DAY, reading + 2 * DAY)
    return next(start for start, _, offset in around[1:] if start + offset > reading)


def _change(zone: ZoneInfo, low: int, high: int, offset: int) -> int:
    """The first instant after ``low``, at or before ``high``, whose offset is no longer ``offset``."""
    while high - low > 1:
        middle = (low + high) // 2
        if offset_at(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return high
