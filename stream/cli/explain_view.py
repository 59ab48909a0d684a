"""Formats an explanation as text: each deadline has a header, followed by its spans with the effects between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from stream.observe.pages.phrasing import (
    SHOWN_BY_SPANS,
    by,
    cause,
    due,
    length,
    name_of,
    notifies,
    release_reason,
    target,
    terms,
    waits,
    when,
    why,
)
from stream.observe.pages.reasons import reasons_of
from stream.sla.effects import TIMER, Kind
from stream.sla.explain.explanation import Outcome, SpanKind
from stream.wire.counting import many
from stream.wire.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.sla.explain.explanation import Deadline, Explanation, Moment

_COLOURS: Final = {
    Outcome.BREACHED: "red",
    Outcome.MET_LATE: "red",
    Outcome.RAISED: "yellow",
    Outcome.MET: "green",
}


def lines(explanation: Explanation, zone: str | None) -> Iterator[str]:
    """Yield the lines. ``zone``: the IANA zone of all times; ``None``: each deadline in the zone of its calendar."""
    shown_in = zone or (explanation.deadlines[0].timezone if explanation.deadlines else "UTC")
    ticket, events = printable(explanation.ticket), many(explanation.events, "event")
    yield f"{ticket} as of {when(explanation.until, shown_in)}, from {events}"
    if explanation.later:
        yield f"{many(explanation.later, 'later event')} omitted"
    if explanation.partial:
        yield "no creation event was received: the ticket begins with the first event that states that it is open"
    if explanation.known_since is not None:
        yield f"events up to {when(explanation.known_since, shown_in)} are no longer kept, so causes before it are unknown"
    for waiting in explanation.waiting:
        yield printable(waits(waiting))
    for reason in reasons_of(explanation, shown_in):
        yield printable(f"without a deadline: {reason}")
    for deadline in explanation.deadlines:
        yield ""
        yield from _head(deadline, zone or deadline.timezone)
        yield ""
        yield from _body(deadline, zone or deadline.timezone)


def _head(deadline: Deadline, zone: str) -> Iterator[str]:
    cycle = f" (cycle {deadline.cycle})" if deadline.cycle > 1 else ""
    reason = f", {deadline.reason}" if deadline.reason else ""
    if deadline.provisional:
        reason += f", provisional ({deadline.provisional})"
    verdict = click.style(f"{deadline.verdict}{reason}", fg=_COLOURS.get(deadline.verdict))
    yield f"{click.style(name_of(deadline), bold=True)}{cycle}: {verdict}"
    versions = deadline.calendar_versions
    dated = f", versions since {', '.join(versions)}" if versions != ("first",) else ""
    yield f"  policy    {deadline.policy} version {deadline.policy_version}"
    yield f"  calendar  {deadline.calendar} ({deadline.timezone}){dated}"
    yield f"  target    {target(deadline)}"
    if deadline.terms:
        yield f"  terms     {terms(deadline)}"
    yield f"  started   {when(deadline.began, zone)}"
    yield f"  due       {due(deadline, zone)}"
    if deadline.ended is not None:
        yield f"  ended     {when(deadline.ended, zone)}"
    yield f"  counted   {length(deadline.elapsed)}, paused {length(deadline.paused)}"
    if deadline.ladder:
        yield f"  notifies  {printable(notifies(deadline))}"
    if deadline.verdict is Outcome.RAISED:
        yield from _response(deadline, zone)


def _response(deadline: Deadline, zone: str) -> Iterator[str]:
    """The roles, the acknowledgement and the release of a raised level."""
    acknowledged, released = deadline.acknowledged, deadline.released
    if acknowledged is None:
        yield "  acknowledged  no"
    else:
        event = f" ({acknowledged.cause})" if acknowledged.cause else ""
        yield printable(f"  acknowledged  {when(acknowledged.at, zone)}{by(acknowledged)}{event}")
    if released is not None:
        yield f"  released  {when(released.at, zone)}{release_reason(released)}"
    elif deadline.monitored_until is not None:
        yield f"  released  no, monitored until {when(deadline.monitored_until, zone)}"
    else:
        yield "  released  no"


def _body(deadline: Deadline, zone: str) -> Iterator[str]:
    rows = [(when(span.start, zone), when(span.end, zone)) for span in deadline.spans]
    width = max((len(text) for row in rows for text in row), default=0)
    moments = [moment for moment in deadline.moments if moment.kind not in SHOWN_BY_SPANS]
    ahead = False
    for span, (start, end) in zip(deadline.spans, rows, strict=True):
        while moments and moments[0].at <= span.start:
            yield _moment(moments.pop(0), zone, width)
        if span.expected and not ahead:
            ahead = True
            yield click.style("  if nothing else happens:", italic=True)
        counted = length(span.counted) if span.counted else "-"
        line = f"  {start:<{width}}  {end:<{width}}  {length(span.wall):>12}  {counted:>12}  {span.kind:<9}  {why(span)}"
        yield click.style(printable(line.rstrip()), bold=span.kind is SpanKind.RUNNING, dim=span.expected)
    for moment in moments:
        yield _moment(moment, zone, width)


def _moment(moment: Moment, zone: str, width: int) -> str:
    name = f"{moment.ladder} " if moment.ladder else ""
    text = f"  {when(moment.at, zone):<{width}}  * {name}{moment.kind.partition('.')[2]} {moment.level}".rstrip()
    text += f": {moment.reason}"
    if moment.kind is Kind.RETARGETED and moment.target is not None:
        text += f", now {length(moment.target)}"
        text += f", due {when(moment.due, zone)}" if moment.due is not None else ""
    if moment.assign_to:
        text += f", assigned to {moment.assign_to}"
    if moment.provisional:
        text += f", provisional ({moment.provisional})"
    text += f" ({cause(moment.cause)})" if moment.cause != TIMER else ""
    return click.style(printable(text), fg="yellow", dim=moment.expected)
