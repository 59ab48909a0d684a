"""The values of a policy set as plain data (maps, lists, texts, numbers) and back.

A value of a class becomes a map with the name of the class under ``is``. A field that has its default is left out, so a
new field with a default changes neither the form nor the fingerprint of a set that does not use it, and needs no code
here. The names of the classes in ``_CLASSES``, of their fields and of enum members, and the defaults, are the form:
whoever changes one of them must make the decoder accept the old form, or raise ``snapshot.FORM``.

Annotations do not help when reading, because compiled modules do not keep them. The structure is checked, types are not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from enum import Enum
from typing import Any, Final

import msgspec

from stream.sla.calendar.delay import Delay
from stream.sla.calendar.duration import Clock, Duration
from stream.sla.calendar.week import Content, DateException, Holiday, Holidays, ReadingException, Version, Window
from stream.sla.calendar.zone import Zone
from stream.sla.policy.conditions import All, Always, AnyOf, Changed, EventIs, FieldIn, Not
from stream.sla.policy.metric import Again, Metric
from stream.sla.policy.policy import (
    AtDeadline,
    Choice,
    Commitment,
    Ladder,
    LadderKind,
    Level,
    OnChange,
    Policy,
    Threshold,
    ThresholdKind,
)

_TAG: Final = "is"
_SET: Final = "set"
_DATE: Final = "date"
_HOLIDAYS: Final = "Holidays"
_CLASSES: Final[dict[str, type[Any]]] = {
    cls.__name__: cls
    for cls in (
        # policies
        *(Policy, Commitment, Ladder, LadderKind, Level, OnChange, AtDeadline),
        *(Choice, Threshold, ThresholdKind, Metric, Again),
        # conditions
        *(Always, FieldIn, EventIs, Changed, All, AnyOf, Not),
        # calendars
        *(Content, Version, DateException, ReadingException, Holiday, Window, Zone, Duration, Delay, Clock),
    )
}


_recent: Final[deque[tuple[Holidays, list[Any]]]] = deque(maxlen=4)
"""The last answers of ``_holidays_to_plain``: a thousand calendars have the holidays of a few countries."""


class UnknownFormError(ValueError):
    """Plain data that is not the form of any value here; a newer breachwatch may have written it."""


def to_plain(value: object) -> Any:
    """A value as plain data. Raises TypeError for a value of a class that has no form."""
    if isinstance(value, Enum):
        return {_TAG: _name(value), "value": value.value}
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Holidays):
        return {_TAG: _HOLIDAYS, "days": _holidays_to_plain(value)}
    if isinstance(value, date):
        return {_TAG: _DATE, "value": value.isoformat()}
    if isinstance(value, frozenset):
        return {_TAG: _SET, "values": sorted(map(to_plain, value), key=_order)}
    if isinstance(value, Window):
        return {_TAG: _name(value), **value._asdict()}
    if isinstance(value, tuple):
        return [to_plain(part) for part in value]
    if is_dataclass(value):
        plain = {_TAG: _name(value)}
        for field in fields(value):
            part = getattr(value, field.name)
            if field.init and (field.default is MISSING or part != field.default):
                plain[field.name] = to_plain(part)
        return plain
    raise TypeError(f"a snapshot has no form for a {type(value).__name__}")


def from_plain(plain: object) -> Any:
    """The value. Raises UnknownFormError, ValueError, TypeError or LookupError for other data."""
    if isinstance(plain, list):
        return tuple([from_plain(part) for part in plain])
    if not isinstance(plain, dict):
        return plain
    parts = plain.copy()
    name = parts.pop(_TAG)
    if name == _SET:
        return frozenset(map(from_plain, parts["values"]))
    if name == _DATE:
        return date.fromisoformat(parts["value"])
    if name == _HOLIDAYS:
        return _holidays_from_plain(parts["days"])
    cls = _CLASSES.get(name)
    if cls is None:
        raise UnknownFormError(f"there is nothing called {name!r}")
    if issubclass(cls, Enum):
        if parts["value"] not in {member.value for member in cls}:
            raise UnknownFormError(f"there is no {name} called {parts['value']!r}")
        return cls(parts["value"])
    if is_dataclass(cls) and (unknown := parts.keys() - {field.name for field in fields(cls) if field.init}):
        raise UnknownFormError(f"a {name} has no field {', '.join(sorted(unknown))}")
    return cls(**{key: from_plain(part) for key, part in parts.items()})


def _holidays_to_plain(holidays: Holidays) -> list[Any]:
    """Each holiday with all its dates: names are long, and the same every year. Equal ones are worked out once in a row."""
    for known, plain in _recent:
        if known is holidays or known == holidays:
            return plain
    plain = _listed(holidays)
    _recent.appendleft((holidays, plain))
    return plain


def _listed(holidays: Holidays) -> list[Any]:
    dates: dict[Holiday, list[str]] = {}
    for day, holiday in holidays.days().items():
        dates.setdefault(holiday, []).append(day.isoformat())
    return sorted(([to_plain(holiday), found] for holiday, found in dates.items()), key=_order)


def _holidays_from_plain(plain: list[Any]) -> Holidays:
    days = {}
    for holiday, dates in plain:
        named = from_plain(holiday)
        days.update({date.fromisoformat(day): named for day in dates})
    return Holidays.listed(days)


def _name(value: object) -> str:
    name = type(value).__name__
    if _CLASSES.get(name) is not type(value):
        raise TypeError(f"a snapshot has no form for a {name}")
    return name


def _order(plain: object) -> bytes:
    return msgspec.json.encode(plain, order="sorted")
