"""Reads the times of payloads, in the forms that helpdesks have, as the text of an instant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, DecimalException, InvalidOperation
from typing import TYPE_CHECKING, Final

from stream.documents.readers import shown
from stream.language.zones import UnknownZoneError, read_tzinfo
from stream.wire.instants import END, FIRST, InstantError, epoch_micros, format_instant, parse_instant

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from stream.feeds.place import Node

Convert = Callable[[object], str]
"""The text of an instant, RFC 3339 in UTC. Raises ``TimeFormError``."""

_PROBE: Final = datetime(2031, 11, 22, 13, 14, 15, tzinfo=UTC)
_OUTSIDE: Final = "is outside the years 1970 to 2199"
_FIRST_YEAR: Final = 1969
_LAST_YEAR: Final = 2200
_UNITS: Final = {"s": 1_000_000, "ms": 1_000}


class TimeFormError(Exception):
    """A value is not a time of the stated form. The text continues a sentence: ``is not a number``."""


def read_time(node: Node, data: Mapping[str, object]) -> Convert | None:
    """Compile ``time`` and ``zone``. ``None`` after their problems have been reported."""
    form, zone = data["time"], None
    if "zone" in data:
        try:
            zone = read_tzinfo(str(data["zone"]))
        except UnknownZoneError:
            node.report(("zone",), f"{shown(data['zone'])} is not an IANA time zone; use a name such as Europe/Brussels")
            return None
    if isinstance(form, str) and form in _UNITS:
        if zone is not None:
            node.report(("zone",), f"a time in `{form}` since 1970 has no zone; remove `zone`")
            return None
        return _since_1970(_UNITS[form])
    if form == "iso":
        return _iso(zone)
    if isinstance(form, str) and "%" in form:
        return _formatted(node, form, zone)
    node.report(
        ("time",), f'{shown(form)} is not a form of times: use iso, s, ms or a strptime format such as "%d/%m/%Y %H:%M"'
    )
    return None


def _since_1970(unit: int) -> Convert:
    def convert(value: object) -> str:
        if type(value) is int:
            return _text(value * unit)
        if not isinstance(value, str | float):
            raise TimeFormError("is not a number")
        try:
            micros = Decimal(value if isinstance(value, str) else repr(value)) * unit
            within = FIRST <= micros < END
        except InvalidOperation as error:
            raise TimeFormError("is not a number") from error
        except DecimalException as error:
            raise TimeFormError(_OUTSIDE) from error
        return _text(int(micros.to_integral_value()) if within else END)

    return convert


def _iso(zone: ZoneInfo | None) -> Convert:
    def convert(value: object) -> str:
        if not isinstance(value, str):
            raise TimeFormError("is not the text of a time; a number needs `time: s` or `time: ms`")
        try:
            return format_instant(parse_instant(value))
        except InstantError:
            return _text(_instant(_moment(value, ""), zone))

    return convert


def _formatted(node: Node, form: str, zone: ZoneInfo | None) -> Convert | None:
    try:
        back = datetime.strptime(_PROBE.strftime(form), form)  # noqa: DTZ007  only its date and hour are compared
    except ValueError as error:
        node.report(("time",), f'is not a strptime format: {error}; use one such as "%Y-%m-%d %H:%M:%S"')
        return None
    if (back.date(), back.hour) != (_PROBE.date(), _PROBE.hour):
        node.report(("time",), 'lacks the year, month, day or hour; use a format such as "%Y-%m-%d %H:%M"')
        return None
    if back.tzinfo is None and zone is None:
        node.report(("time",), "has no offset (%z), so `zone` is needed, such as zone: Europe/Brussels")
        return None

    def convert(value: object) -> str:
        if not isinstance(value, str):
            raise TimeFormError("is not the text of a time")
        return _text(_instant(_moment(value, form), zone))

    return convert


def _moment(text: str, form: str) -> datetime:
    try:
        return datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007  ``_instant`` adds the zone
    except ValueError as error:
        raise TimeFormError(f"does not have the form {form or 'of an ISO 8601 time'}") from error


def _instant(moment: datetime, zone: ZoneInfo | None) -> int:
    """The instant of a moment. Of a local time that occurs twice in autumn it is the first."""
    if moment.tzinfo is None:
        if zone is None:
            raise TimeFormError("has no offset from UTC: give the zone of such times, as in zone: Europe/Brussels")
        if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            raise TimeFormError(_OUTSIDE)
        naive, moment = moment, moment.replace(tzinfo=zone)
        if moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != naive:
            raise TimeFormError(f"does not exist in {zone.key}: the clocks went forward past it")
    return epoch_micros(moment)


def _text(instant: int) -> str:
    if not FIRST <= instant < END:
        raise TimeFormError(_OUTSIDE)
    return format_instant(instant)
