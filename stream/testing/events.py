"""Builders of events, and the conversion of local times."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from stream.language.zones import read_tzinfo
from stream.sla.events import Event

MICROS: Final = 1_000_000
SOURCE: Final = "story"
"""The source of the events of a story."""


def instant(text: str | datetime, zone: str = "UTC") -> int:
    """Return epoch microseconds of a local time such as ``2026-11-16 10:00`` (seconds may follow) in an IANA zone."""
    moment = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=read_tzinfo(zone))
    whole = moment.replace(microsecond=0).timestamp()
    return round(whole) * MICROS + moment.microsecond


def local(micros: int, zone: str = "UTC") -> str:
    """Return the local time of an instant, as a story writes it: the inverse of ``instant``."""
    moment = datetime.fromtimestamp(micros // MICROS, read_tzinfo(zone)).replace(microsecond=micros % MICROS, tzinfo=None)
    text = moment.isoformat(sep=" ")
    return text[:-3] if text.endswith(":00") and len(text) == 19 else text


def event(number: int, at: int, type_: str, **more: Any) -> Event:
    """Return an event with the id ``e<number>`` of the source ``story``. ``at``: epoch microseconds."""
    return Event(at=at, id=f"e{number}", type=type_, source=SOURCE, **more)  # type: ignore[arg-type]  # the caller's
