"""Stopwatches that start at a date: rule 43 of ``tests.oracle.oracle``. A date is looked up minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from stream.sla.events import Event
from stream.sla.policy.metric import Again
from tests.oracle.signals import Fields, FieldState, holds

if TYPE_CHECKING:
    from stream.sla.policy.metric import Metric
    from tests.oracle.ticket import Stopwatch

_NOTHING = Event(0, "", "", "")  # type: ignore[arg-type]
_START = datetime(1970, 1, 1, tzinfo=UTC)
_STARTABLE = ("idle", "stopped", "cancelled")


@lru_cache(1_000)
def minute_of(text: str, zone: str) -> int | None:
    """The minute of a date; ``None`` for what is none. Raises ValueError for a date within a minute."""
    try:
        wanted = datetime.fromisoformat(text)
    except ValueError:
        return None
    if wanted.second or wanted.microsecond:
        raise ValueError(f"the oracle knows whole minutes only, not {text}")
    if wanted.tzinfo is not None:
        return int(wanted.timestamp()) // 60
    near = int(wanted.replace(tzinfo=UTC).timestamp()) // 60
    shown = {
        minute: (_START + timedelta(minutes=minute)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        for minute in range(near - 1_000, near + 1_000)
    }
    same = [minute for minute, reading in shown.items() if reading == wanted]
    return same[0] if same else next(minute for minute, reading in shown.items() if reading > wanted)


def date_of(metric: Metric, stopwatch: Stopwatch, fields: Fields) -> int | None:
    """The minute at which it may start."""
    value = fields.get(metric.starts_at, "")
    if stopwatch.phase not in _STARTABLE or not isinstance(value, str):
        return None
    found = minute_of(value, "UTC" if metric.zone is None else metric.zone.name)
    if stopwatch.phase == "idle":
        return found
    return found if found is not None and metric.again is Again.CYCLE and found > stopwatch.over else None


def in_time(metric: Metric, stopwatch: Stopwatch, given: list[str], fields: Fields, now: int) -> list[str]:
    """Of what an event does to a stopwatch, nothing that would start it before its date."""
    if not metric.starts_at or not given or given[0] not in ("start", "skip"):
        return given
    date = date_of(metric, stopwatch, fields)
    return [] if given[0] == "skip" or date is None or date >= now else given


def starts_now(metric: Metric, stopwatch: Stopwatch, field_state: FieldState, now: int) -> list[str]:
    """What its date does to a stopwatch in this minute."""
    fields = {name: value for name, value in field_state.fields.items() if name != "@begun"}
    if not metric.starts_at or field_state.removed or not field_state.started or date_of(metric, stopwatch, fields) != now:
        return []
    if not holds(metric.starts, _NOTHING, fields):
        return []
    if holds(metric.stops, _NOTHING, fields) or holds(metric.cancels, _NOTHING, fields):
        return []
    return ["start", "pause"] if holds(metric.pauses, _NOTHING, fields) else ["start"]
