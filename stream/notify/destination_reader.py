"""Reads one destination: a service that Apprise reaches, or a webhook, with its grouping and its quiet hours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from stream.documents.readers import items, listed, part, part_or, read_count, section, shown
from stream.language.zones import UnknownZoneError, read_tzinfo
from stream.notify.rules import USUAL_STORM, Destination, Quiet, Storm
from stream.runtime.secret_values import SecretError, checked
from stream.runtime.setting_values import micros

if TYPE_CHECKING:
    from stream.documents.document import Report

_KEYS: Final = ("apprise", "webhook", "secrets", "storm", "quiet", "give_up_after")
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_OFF: Final = "off"


def read_destination(name: str, data: object, report: Report) -> Destination | None:
    """Read a destination. ``None`` after a problem that leaves nothing to use."""
    keys = section(data, report, _KEYS)
    if keys is None:
        return None
    if ("apprise" in keys) is ("webhook" in keys):
        report((), "a destination has either `apprise`, the URL of a service, or `webhook`, an address")
    if "webhook" in keys and "secrets" not in keys:
        report((), "a webhook needs `secrets`: references such as env:HOOK_SECRET, of which the first signs newly")
    if "secrets" in keys and "webhook" not in keys:
        report(("secrets",), "only a webhook has secrets")
    is_webhook = "webhook" in keys
    storm = part(keys, "storm", report, _storm)
    usual = Destination(name)
    return Destination(
        name,
        part_or(keys, "apprise", report, _reference, ""),
        part_or(keys, "webhook", report, _address, ""),
        part_or(keys, "secrets", report, _references, ()),
        storm[0] if storm else None if is_webhook else USUAL_STORM,
        part(keys, "quiet", report, _quiet),
        part_or(keys, "give_up_after", report, read_length, usual.give_up_after),
    )


def read_length(data: object, report: Report) -> int | None:
    """Read a length of time above 0 such as ``5m``."""
    try:
        length = micros(str(data))
    except ValueError:
        length = 0
    if length <= 0:
        report((), f"must be a length of time such as 30s, 5m, 1h or 3d, not {shown(data)}")
        return None
    return length


def _reference(data: object, report: Report) -> str | None:
    try:
        return checked(str(data))
    except SecretError:
        # Not shown: it may be the secret itself.
        report((), "must be env:NAME or file:PATH, because the URL contains a secret")
        return None


def _references(data: object, report: Report) -> tuple[str, ...] | None:
    found = items(data if isinstance(data, list) else [data], report, _reference)
    return tuple(reference for reference in found if reference) if found else None


def _address(data: object, report: Report) -> str | None:
    text = str(data)
    if text.startswith(("env:", "file:")):
        return _reference(data, report)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        report((), f"must be an address such as https://example.com/hooks/sla, or env:NAME or file:PATH, not {shown(data)}")
        return None
    return text


def _storm(data: object, report: Report) -> tuple[Storm | None] | None:
    """In a tuple, because ``off`` is not a problem."""
    if data == _OFF:
        return (None,)
    keys = section(data, report, ("more_than", "within"), ("more_than", "within"))
    if keys is None:
        return None
    most, within = part(keys, "more_than", report, read_count), part(keys, "within", report, read_length)
    return None if most is None or within is None else (Storm(most, within),)


def _quiet(data: object, report: Report) -> Quiet | None:
    keys = section(data, report, ("hours", "days", "zone"), ("zone",))
    if keys is None:
        return None
    if "hours" not in keys and "days" not in keys:
        report((), "needs `hours`, such as 20:00-07:00, or `days`, such as [sat, sun]")
    hours = part_or(keys, "hours", report, _hours, (0, 0))
    days: list[int | None] = part_or(keys, "days", report, _weekdays, [])
    if len(set(days)) == len(_DAYS):
        report(("days",), "if every day is quiet, nothing is ever sent")
    try:
        zone = read_tzinfo(str(keys.get("zone")))
    except UnknownZoneError:
        report(("zone",), f"{shown(keys.get('zone'))} is not an IANA time zone: use one such as Asia/Kolkata")
        return None
    return Quiet(*hours, frozenset(day for day in days if day is not None), zone)


def _hours(data: object, report: Report) -> tuple[int, int] | None:
    match = _HOURS.fullmatch(str(data))
    if match is None or (match[1], match[2]) == (match[3], match[4]):
        report((), f"must be hours of the day such as 20:00-07:00, not {shown(data)}")
        return None
    return int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])


def _weekdays(data: object, report: Report) -> list[int | None] | None:
    return items(data if isinstance(data, list) else [data], report, _day)


def _day(data: object, report: Report) -> int | None:
    if data not in _DAYS:
        report((), f"must be one of {listed(_DAYS)}, not {shown(data)}")
        return None
    return _DAYS.index(str(data))
