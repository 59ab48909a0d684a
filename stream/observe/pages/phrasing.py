"""Phrases about deadlines, for the pages and the terminal. Instants and lengths are microseconds."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from stream.language.zones import read_tzinfo
from stream.sla.calendar.delay import Delay, DelayError
from stream.sla.calendar.duration import Clock
from stream.sla.calendar.zone import EPOCH
from stream.sla.effects import TIMER, Kind
from stream.sla.explain.explanation import CALENDAR, DUE, Outcome, SpanKind
from stream.sla.explain.terms import Term

if TYPE_CHECKING:
    from stream.sla.explain.explanation import Acknowledgement, Deadline, Release, Span, Waiting

SHOWN_BY_SPANS: Final = frozenset({Kind.PAUSED, Kind.RESUMED})
"""Kinds of effect that the spans show already."""
_DEPLOYMENT: Final = "deployment:"
_TERMS: Final = {
    Term.MET_ONLY_BEFORE: "met only before the deadline, not at it",
    Term.PAUSES_ON_THE_WALL: "each pause moves the deadline, and the hours that count after it, by its length on the wall",
    Term.STARTED_AT_DATE: "the clock starts at a date of the ticket",
    Term.STARTED_IN_HOURS: "for a clock that started in hours ({calendar} was open)",
    Term.STARTED_OUT_OF_HOURS: "for a clock that started out of hours ({calendar} was closed)",
}


def name_of(deadline: Deadline) -> str:
    """Return the name of a deadline: its commitment, or its ladder and level."""
    if not deadline.ladder:
        return deadline.commitment
    name = f"{deadline.ladder}, level {deadline.level}{f', at {deadline.threshold}' if deadline.threshold else ''}"
    return name + (f" of {deadline.commitment}" if deadline.commitment else "")


def target(deadline: Deadline) -> str:
    """Return the target with its clock."""
    clock = "business time" if deadline.clock is Clock.BUSINESS else "wall time"
    if deadline.delay and deadline.target is None:
        return delay(deadline.delay)
    if deadline.target is None:
        other = f"measured from the deadline of {deadline.commitment}"
        return other if deadline.ladder and deadline.commitment else "none: the time is only measured"
    text = f"{length(deadline.target)} of {clock}"
    if deadline.delay:
        text = f"{delay(deadline.delay)}: {text}"
    if deadline.extension:
        text += f", extended by {length(deadline.extension)}"
    if deadline.due_after is not None and deadline.due_after != deadline.target:
        text += f": due when {length(deadline.due_after)} are counted"
    return text


def notifies(deadline: Deadline) -> str:
    """Return the roles that a level notifies, and the role that holds the escalation."""
    owner = f" (held by {deadline.owner})" if deadline.owner else ""
    return (", ".join(deadline.notify) or "nobody") + owner


def by(acknowledgement: Acknowledgement) -> str:
    """Return who acknowledged a level, as far as it is known; with a space in front unless it is empty."""
    role = f" ({acknowledgement.role})" if acknowledgement.role else ""
    return f" by {acknowledgement.actor}{role}" if acknowledgement.actor else role


def release_reason(release: Release) -> str:
    """Return why a level was released; with a space in front unless it is empty."""
    return "" if release.reason is None else f" ({release.reason.replace('_', ' ')})"


def terms(deadline: Deadline) -> str:
    """Return the terms that change how the deadline is found or kept; empty if all are the usual ones."""
    return "; ".join(_TERMS[term].format(calendar=deadline.calendar) for term in deadline.terms)


def waits(waiting: Waiting) -> str:
    """Return why a clock has not started: its date lies ahead, or its field has none."""
    if waiting.problem:
        return f"{waiting.metric} has not started: the field {waiting.field} {waiting.problem}"
    if waiting.starts is None:
        return f"{waiting.metric} has not started: it waits for a date in the field {waiting.field}, and for its conditions"
    return f"{waiting.metric} starts at {when(waiting.starts, waiting.zone)}, the date in the field {waiting.field}"


def delay(text: str) -> str:
    """Return a delay in business days in words; ``text`` is that of the policy."""
    try:
        parsed = Delay.parse(text)
    except DelayError:
        return text
    days = parsed.days
    if not parsed.close and parsed.time is None:
        found = f"{days} business day{'' if days == 1 else 's'} later at the same time of day"
    else:
        at = "the end" if parsed.time is None else time_of_day(parsed.time)
        which = {0: "same business day", 1: "next business day"}.get(days, f"{_ordinal(days)} business day after the start")
        found = f"by {at} {'of' if parsed.time is None else 'on'} the {which}"
    return found + (f", counted from the next one after {time_of_day(parsed.cutoff)}" if parsed.cutoff is not None else "")


def time_of_day(micros: int) -> str:
    """Return microseconds from midnight as ``16:00``, with seconds where there are any."""
    minutes, second = divmod(micros // 1_000_000, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{second:02}" if second else "")


def _ordinal(number: int) -> str:
    last = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{last}"


def due(deadline: Deadline, zone: str) -> str:
    """Return the time of the deadline in an IANA zone, or why there is none."""
    if deadline.due is not None:
        return when(deadline.due, zone)
    if deadline.never:
        over = "has no such business day" if deadline.delay else "is not open for that long any more"
        return f"never: {deadline.calendar} {over}"
    if deadline.verdict is Outcome.RAISED:
        return "not known: it was raised before the history that is kept"
    if deadline.ended is not None:
        return "none when it ended"
    if deadline.target is None and not deadline.ladder:
        return "none"
    if deadline.acknowledged is not None:
        return "none while acknowledged"
    now = [span.kind for span in deadline.spans if not span.expected]
    return "unknown while paused" if now and now[-1] is SpanKind.PAUSED else "unknown"


def why(span: Span) -> str:
    """Return the reason for the start of a span; empty if it is unknown."""
    if span.cause in ("", CALENDAR, TIMER):
        return "; ".join(filter(None, (span.note, DUE if span.change == DUE else "")))
    return "; ".join(filter(None, (span.note, f"{span.change} ({cause(span.cause)})".lstrip())))


def cause(text: str) -> str:
    """Return the cause of an effect or of a span: the id of an event, or ``deployment 7``."""
    number = text.removeprefix(_DEPLOYMENT)
    return text if number == text else f"deployment {number}"


def when(instant: int, zone: str) -> str:
    """Return an instant as local time in an IANA zone, rounded down to milliseconds."""
    moment = (EPOCH + timedelta(microseconds=instant)).astimezone(read_tzinfo(zone))
    time = f"{moment:%H:%M:%S}" if instant % 60_000_000 >= 1_000 else f"{moment:%H:%M}"
    fraction = milliseconds(moment.microsecond)
    return f"{moment:%a %Y-%m-%d} {time}{fraction} {moment:%Z}"


def length(micros: int) -> str:
    """Return hours, minutes and seconds: ``26:30:00``, rounded down to milliseconds.

    There are two kinds of day, so days are not used.
    """
    seconds, rest = divmod(micros, 1_000_000)
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}{milliseconds(rest)}"


def milliseconds(micros: int) -> str:
    """Return the milliseconds of a second as ``.5`` or ``.483``; empty if there are none."""
    return f".{micros // 1_000:03}".rstrip("0.")


def left(micros: int) -> str:
    """Return wall time left in its two largest units; ``passed`` if it is negative."""
    if micros < 0:
        return "passed"
    seconds = micros // 1_000_000
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds % 60:02} s" if minutes else f"{seconds} s"
