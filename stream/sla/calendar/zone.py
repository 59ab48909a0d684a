"""Time zones, as data: the instants at which an offset changes.

A *reading* is what a clock on the wall of a zone shows, as microseconds since it showed 1970-01-01 00:00. A zone
maps every instant to one reading; a reading may belong to no instant (it was skipped), to one, or to two (it was
repeated).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

DAY: Final = 86_400_000_000
"""Microseconds of 24 hours."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Segment(NamedTuple):
    """Instants from ``start`` to before ``end``, in which reading = instant + ``offset``."""

    start: int
    end: int
    offset: int


@dataclass(frozen=True, slots=True)
class Zone:
    """The offsets of a time zone from 1970 to 2199. Nothing is looked up elsewhere."""

    name: str
    """The IANA name."""
    changes: tuple[int, ...]
    """The instants at which the offset changes, in order (epoch microseconds)."""
    offsets: tuple[int, ...]
    """Reading minus instant, in microseconds: before the first change, then from each change on."""

    def offset_at(self, instant: int) -> int:
        """Reading minus instant, in microseconds."""
        return self.offsets[bisect_right(self.changes, instant)]

    def reading_at(self, instant: int) -> int:
        """The reading of the zone's clocks at an instant."""
        return instant + self.offsets[bisect_right(self.changes, instant)]

    def local_time(self, instant: int) -> str:
        """A reading as a calendar's file would state it: ``2026-11-16 22:00``, with seconds where there are any."""
        text = (EPOCH + timedelta(microseconds=self.reading_at(instant))).strftime("%Y-%m-%d %H:%M:%S")
        return text.removesuffix(":00")

    def segments(self, start: int, end: int) -> list[Segment]:
        """The stretches of constant offset that make up [start, end)."""
        found: list[Segment] = []
        place = bisect_right(self.changes, start)
        while start < end:
            change = self.changes[place] if place < len(self.changes) else end
            found.append(Segment(start, min(change, end), self.offsets[place]))
            start = change
            place += 1
        return found

    def instants_of(self, reading: int) -> tuple[int, ...]:
        """The instants at which the clocks of the zone show the reading: none, one or two, in order."""
        return tuple(
            reading - offset
            for start, end, offset in self.segments(reading - 2 * DAY, reading + 2 * DAY)
            if start <= reading - offset < end
        )

    def instants_within(self, start: int, end: int) -> tuple[int, int] | None:
        """The first instant at which the clocks show a reading of [start, end), and the end of the last; ``None``: never."""
        found = [
            (max(segment.start, start - segment.offset), min(segment.end, end - segment.offset))
            for segment in self.segments(start - 2 * DAY, end + 2 * DAY)
        ]
        found = [(low, high) for low, high in found if low < high]
        return (found[0][0], found[-1][1]) if found else None

    def landing(self, reading: int) -> int:
        """The instant of a reading that ends something: of two the second; of a skipped one the instant of the change."""
        if found := self.instants_of(reading):
            return found[-1]
        around = self.segments(reading - 2 * DAY, reading + 2 * DAY)
        return next(start for start, _, offset in around[1:] if start + offset > reading)


UTC_ZONE: Final = Zone("UTC", (), (0,))
