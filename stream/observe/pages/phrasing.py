"""The words in which deadlines are told to people, on a page and on a terminal. Instants and lengths are microseconds."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from stream.language.zones import read_tzinfo
from stream.sla.calendar.duration import Clock
from stream.sla.calendar.zone import EPOCH
from stream.sla.effects import TIMER, Kind
from stream.sla.explain.explanation import CALENDAR, DUE, SpanKind

if TYPE_CHECKING:
    from stream.sla.explain.explanation import Deadline, Span

SHOWN_BY_SPANS: Final = frozenset({Kind.PAUSED, Kind.RESUMED})
"""Moments that need not be told where the spans are shown."""


def name_of(deadline: Deadline) -> str:
    """What a deadline is called: its commitment, or its ladder and level."""
    if not deadline.ladder:
        return deadline.commitment
    name = f"{deadline.ladder}, level {deadline.level}{f', at {deadline.threshold}' if deadline.threshold else ''}"
    return name + (f" of {deadline.commitment}" if deadline.commitment else "")


def target(deadline: Deadline) -> str:
    """How much time was promised, on which clock."""
    clock = "business time" if deadline.clock is Clock.BUSINESS else "wall time"
    if deadline.target is None:
        other = f"measured from the deadline of {deadline.commitment}"
        return other if deadline.ladder and deadline.commitment else "none: the time is measured, nothing is promised"
    text = f"{length(deadline.target)} of {clock}"
    if deadline.extension:
        text += f", extended by {length(deadline.extension)}"
    if deadline.due_after is not None and deadline.due_after != deadline.target:
        text += f": due when {length(deadline.due_after)} are counted"
    return text


def due(deadline: Deadline, zone: str) -> str:
    """When it is due, in an IANA zone, or why that is not in sight."""
    if deadline.due is not None:
        return when(deadline.due, zone)
    if deadline.ended is not None:
        return "not in sight when it ended"
    if deadline.target is None and not deadline.ladder:
        return "never"
    now = [span.kind for span in deadline.spans if not span.expected]
    return "not in sight: paused" if now and now[-1] is SpanKind.PAUSED else "not in sight"


def why(span: Span) -> str:
    """Why a span began, as far as that is known."""
    if span.cause in ("", CALENDAR, TIMER):
        return "; ".join(filter(None, (span.note, DUE if span.change == DUE else "")))
    return "; ".join(filter(None, (span.note, f"{span.change} ({span.cause})".lstrip())))


def when(instant: int, zone: str) -> str:
    """An instant as a clock on the wall shows it in an IANA zone."""
    moment = (EPOCH + timedelta(microseconds=instant)).astimezone(read_tzinfo(zone))
    time = f"{moment:%H:%M:%S}" if instant % 60_000_000 else f"{moment:%H:%M}"
    fraction = f".{moment.microsecond:06}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%a %Y-%m-%d} {time}{fraction} {moment:%Z}"


def length(micros: int) -> str:
    """Hours, minutes and seconds: ``26:30:00``. Days are left out on purpose, for there are two kinds."""
    seconds, rest = divmod(micros, 1_000_000)
    minutes, second = divmod(seconds, 60)
    fraction = f".{rest:06}".rstrip("0") if rest else ""
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}{fraction}"


def left(micros: int) -> str:
    """How long it is until then, in the two largest units on the wall; of an instant that is past, that it is."""
    if micros < 0:
        return "passed"
    seconds = micros // 1_000_000
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds % 60:02} s" if minutes else f"{seconds} s"
