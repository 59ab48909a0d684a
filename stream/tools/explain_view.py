"""An explanation as text that a person can read: a head for every deadline, then its spans and what happened between them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import click

from stream.sla.calendar_zone import EPOCH
from stream.sla.duration import Clock
from stream.sla.effects import Kind
from stream.sla.explanation import CALENDAR, DUE, Outcome, SpanKind
from stream.sla.voice import TIMER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.sla.explanation import Deadline, Explanation, Moment, Span

_COLOURS: Final = {
    Outcome.BREACHED: "red",
    Outcome.MET_LATE: "red",
    Outcome.RAISED: "yellow",
    Outcome.MET: "green",
}
_SAID_BY_THE_SPAN: Final = frozenset({Kind.PAUSED, Kind.RESUMED})


def lines(explanation: Explanation, zone: str | None) -> Iterator[str]:
    """``zone``: the IANA zone in which all times are shown; ``None``: each deadline in that of its calendar."""
    shown_in = zone or (explanation.deadlines[0].timezone if explanation.deadlines else "UTC")
    yield f"{explanation.ticket} as of {_when(explanation.until, shown_in)}, from {_count(explanation.events, 'event')}"
    if explanation.later:
        yield f"{_count(explanation.later, 'later event')} left out"
    if explanation.partial:
        yield "its creation was not seen: the clocks started with the first event that was"
    if explanation.known_since is not None:
        yield f"what happened up to {_when(explanation.known_since, shown_in)} is kept no more: no causes are known before it"
    if not explanation.deadlines:
        yield "nothing was promised to it: no policy applies to its fields, or nothing has started a clock"
    for deadline in explanation.deadlines:
        yield ""
        yield from _head(deadline, zone or deadline.timezone)
        yield ""
        yield from _body(deadline, zone or deadline.timezone)


def _head(deadline: Deadline, zone: str) -> Iterator[str]:
    name = deadline.commitment
    if deadline.ladder:
        name = f"{deadline.ladder}, level {deadline.level}{f', at {deadline.mark}' if deadline.mark else ''}"
        name += f" of {deadline.commitment}" if deadline.commitment else ""
    cycle = f" (cycle {deadline.cycle})" if deadline.cycle > 1 else ""
    reason = f", {deadline.reason}" if deadline.reason else ""
    verdict = click.style(f"{deadline.verdict}{reason}", fg=_COLOURS.get(deadline.verdict))
    yield f"{click.style(name, bold=True)}{cycle}: {verdict}"
    versions = deadline.calendar_versions
    dated = f", versions since {', '.join(versions)}" if versions != ("first",) else ""
    yield f"  policy    {deadline.policy} version {deadline.policy_version}"
    yield f"  calendar  {deadline.calendar} ({deadline.timezone}){dated}"
    yield f"  target    {_target(deadline)}"
    yield f"  started   {_when(deadline.began, zone)}"
    yield f"  due       {_due(deadline, zone)}"
    if deadline.ended is not None:
        yield f"  ended     {_when(deadline.ended, zone)}"
    yield f"  counted   {_length(deadline.elapsed)}, paused {_length(deadline.paused)}"


def _target(deadline: Deadline) -> str:
    clock = "business time" if deadline.clock is Clock.BUSINESS else "wall time"
    if deadline.target is None:
        other = f"measured from the deadline of {deadline.commitment}"
        return other if deadline.ladder and deadline.commitment else "none: the time is measured, nothing is promised"
    text = f"{_length(deadline.target)} of {clock}"
    if deadline.extension:
        text += f", extended by {_length(deadline.extension)}"
    if deadline.due_after is not None and deadline.due_after != deadline.target:
        text += f": due when {_length(deadline.due_after)} are counted"
    return text


def _due(deadline: Deadline, zone: str) -> str:
    if deadline.due is not None:
        return _when(deadline.due, zone)
    if deadline.ended is not None:
        return "not in sight when it ended"
    if deadline.target is None and not deadline.ladder:
        return "never"
    now = [span.kind for span in deadline.spans if not span.expected]
    return "not in sight: paused" if now and now[-1] is SpanKind.PAUSED else "not in sight"


def _body(deadline: Deadline, zone: str) -> Iterator[str]:
    rows = [(_when(span.start, zone), _when(span.end, zone)) for span in deadline.spans]
    width = max((len(text) for row in rows for text in row), default=0)
    moments = [moment for moment in deadline.moments if moment.kind not in _SAID_BY_THE_SPAN]
    ahead = False
    for span, (start, end) in zip(deadline.spans, rows, strict=True):
        while moments and moments[0].at <= span.start:
            yield _moment(moments.pop(0), zone, width)
        if span.expected and not ahead:
            ahead = True
            yield click.style("  if nothing else happens:", italic=True)
        counted = _length(span.counted) if span.counted else "-"
        line = f"  {start:<{width}}  {end:<{width}}  {_length(span.wall):>12}  {counted:>12}  {span.kind:<9}  {_why(span)}"
        yield click.style(line.rstrip(), bold=span.kind is SpanKind.RUNNING, dim=span.expected)
    for moment in moments:
        yield _moment(moment, zone, width)


def _moment(moment: Moment, zone: str, width: int) -> str:
    name = f"{moment.ladder} " if moment.ladder else ""
    text = f"  {_when(moment.at, zone):<{width}}  * {name}{moment.kind.partition('.')[2]} {moment.level}".rstrip()
    text += f": {moment.reason}"
    if moment.kind is Kind.RETARGETED and moment.target is not None:
        text += f", now {_length(moment.target)}"
        text += f", due {_when(moment.due, zone)}" if moment.due is not None else ""
    return click.style(text + (f" ({moment.cause})" if moment.cause != TIMER else ""), fg="yellow", dim=moment.expected)


def _why(span: Span) -> str:
    if span.cause in ("", CALENDAR, TIMER):
        return "; ".join(filter(None, (span.note, DUE if span.change == DUE else "")))
    return "; ".join(filter(None, (span.note, f"{span.change} ({span.cause})".lstrip())))


def _when(instant: int, zone: str) -> str:
    moment = (EPOCH + timedelta(microseconds=instant)).astimezone(ZoneInfo(zone))
    time = f"{moment:%H:%M:%S}" if instant % 60_000_000 else f"{moment:%H:%M}"
    fraction = f".{moment.microsecond:06}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%a %Y-%m-%d} {time}{fraction} {moment:%Z}"


def _length(micros: int) -> str:
    """Hours, minutes and seconds: ``26:30:00``. Days are left out on purpose, for there are two kinds."""
    seconds, rest = divmod(micros, 1_000_000)
    minutes, second = divmod(seconds, 60)
    fraction = f".{rest:06}".rstrip("0") if rest else ""
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}{fraction}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
