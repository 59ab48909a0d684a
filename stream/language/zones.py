"""The only source of time zone data: the pinned package ``tzdata``, never the files of the system.

The system's files differ between machines and change without a release of breachwatch, and deadlines with them.
``zoneinfo`` prefers them, so the package's files are read here (RFC 9636).
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import cache
from importlib import resources
from struct import calcsize, unpack_from
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from stream.sla.calendar.zone import DAY, EPOCH, Zone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

_NO_PLACES: Final = {"Factory"}
"""In the data of a machine on which nobody has set a zone."""
_SECOND: Final = 1_000_000
_FIRST: Final = -31 * DAY
"""A month before 1970: readings of 1970 may belong to instants of 1969."""
_END_YEAR: Final = 2200
_HEADER: Final = ">20x 6l"
"""The numbers of records: UT and standard flags, leap seconds, changes, kinds of local time, letters of abbreviations."""
_NAME: Final = r"(?:<[^>]+>|[A-Za-z]+)"
_RULE: Final = r"M(\d+)\.(\d)\.(\d)(?:/([^,]+))?"
_FOOTER: Final = re.compile(rf"{_NAME}([-+:\d]+)(?:{_NAME}([-+:\d]+)?,{_RULE},{_RULE})?")
"""The rules of the years after the last change that the file lists: ``CET-1CEST,M3.5.0,M10.5.0/3``."""


class UnknownZoneError(ValueError):
    """There is no time zone of this name."""


@cache
def zone_names() -> frozenset[str]:
    """The names of all zones, aliases included. None of them depends on a machine, as ``localtime`` does."""
    return frozenset((resources.files("tzdata") / "zones").read_text().split()) - _NO_PLACES


@cache
def read_zone(name: str) -> Zone:
    """The offsets of a zone in the years that calendars cover.

    Raises UnknownZoneError.
    """
    changes: list[int] = []
    offsets: list[int] = []
    for instant, offset in _listed(_file(name).read_bytes()):
        if instant <= _FIRST:
            offsets[:] = [offset]
        elif offset != offsets[-1]:
            changes.append(instant)
            offsets.append(offset)
    return Zone(name, tuple(changes), tuple(offsets))


@cache
def read_tzinfo(name: str) -> ZoneInfo:
    """The same zone for the arithmetic of ``datetime``, with the abbreviations that people read.

    Raises UnknownZoneError.
    """
    with _file(name).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def _file(name: str) -> Traversable:
    if name not in zone_names():
        raise UnknownZoneError(f"there is no time zone {name!r}")
    return resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))


def _listed(data: bytes) -> Iterator[tuple[int, int]]:
    """Instants and the offsets from them on, in order; the first comes before every change."""
    ut, standard, leaps, changes, kinds, letters = unpack_from(_HEADER, data)
    start = calcsize(_HEADER) + 5 * changes + 6 * kinds + letters + 8 * leaps + standard + ut  # 32-bit data: skipped
    ut, standard, leaps, changes, kinds, letters = unpack_from(_HEADER, data, start)
    start += calcsize(_HEADER)
    instants = [seconds * _SECOND for seconds in unpack_from(f">{changes}q", data, start)]
    kind_of = unpack_from(f">{changes}B", data, start + 8 * changes)
    start += 9 * changes
    offsets = [unpack_from(">l", data, start + 6 * kind)[0] * _SECOND for kind in range(kinds)]
    start += 6 * kinds + letters + 12 * leaps + standard + ut
    yield _FIRST, offsets[0]
    for instant, kind in zip(instants, kind_of, strict=True):
        yield instant, offsets[kind]
    last = max([_FIRST, *instants[-1:]])
    yield from (change for change in sorted(_by_rule(data[start:].decode().strip(), last)) if change[0] > last)


def _by_rule(footer: str, since: int) -> Iterator[tuple[int, int]]:
    """The changes that the last line of a file describes, for all years from that of ``since`` on."""
    match = _FOOTER.fullmatch(footer)
    if match is None:
        raise ValueError(f"the rule {footer!r} of the time zone data is not understood")
    west, summer_west, *rules = match.groups()
    if rules[0] is None:
        return
    usual = -_seconds(west) * _SECOND
    summer = -_seconds(summer_west) * _SECOND if summer_west else usual + 3600 * _SECOND
    for year in range((EPOCH + timedelta(microseconds=since)).year, _END_YEAR):
        yield _reading(year, rules[:4]) - usual, summer
        yield _reading(year, rules[4:]) - summer, usual


def _reading(year: int, rule: list[str]) -> int:
    """The local time at which a rule takes effect: ``M10.5.0/3`` is the last Sunday of October, 03:00."""
    month, week, weekday = map(int, rule[:3])
    first = date(year, month, 1)
    day = first + timedelta(days=(weekday - first.isoweekday()) % 7 + 7 * (week - 1))
    if day.month != month:
        day -= timedelta(days=7)
    return (day.toordinal() - EPOCH.toordinal()) * DAY + _seconds(rule[3] or "2") * _SECOND


def _seconds(text: str) -> int:
    """Hours, minutes and seconds with a sign: ``-5:30``."""
    parts = [int(part) for part in text.lstrip("+-").split(":")]
    length = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    return -length if text.startswith("-") else length
