"""The page of a ticket: its fields, commitments and escalations, and how each deadline was calculated.

Longer than 250 lines because it is one page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.observe.pages.html import Html, document, pairs, row, table, tag
from stream.observe.pages.page_worker import masthead
from stream.observe.pages.phrasing import (
    SHOWN_BY_SPANS,
    by,
    cause,
    due,
    left,
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
from stream.sla.erasure import ERASED
from stream.sla.explain.explanation import Outcome, SpanKind
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.observe.pages.views import TicketView
    from stream.sla.effects import ProvisionalReason
    from stream.sla.explain.explanation import Deadline, Explanation, Moment, Span

_SUMMARY: Final = ("Commitment", "State", "Due", "Time left", "Counted", "Paused", "Policy")
_LEVELS: Final = ("Level", "State", "At", "Time left", "Notifies", "Acknowledged", "Released", "Policy")
_SPANS: Final = ("From", "To", "Length", "Counted", "What", "Why")
_CLASSES: Final = {
    Outcome.BREACHED: "bad",
    Outcome.MET_LATE: "bad",
    Outcome.RAISED: "warn",
    Outcome.MET: "good",
}
_OPEN: Final = (Outcome.PENDING, Outcome.BREACHED)


def render(view: TicketView, url: str | None = None) -> bytes:
    """Return the page as HTML. ``url``: of the ticket in the helpdesk."""
    explanation = view.explanation
    if view.gone == ERASED:
        return _erased(view)
    zone = explanation.deadlines[0].timezone if explanation.deadlines else "UTC"
    whole = explanation.until - explanation.until % 1_000_000
    commitments = [deadline for deadline in explanation.deadlines if not deadline.ladder]
    levels = [deadline for deadline in explanation.deadlines if deadline.ladder]
    return document(
        view.ticket,
        masthead(),
        tag("h1", view.ticket),
        tag("p", "As of ", _clock(whole, zone), f", partition {view.partition}", class_="dim"),
        *(() if url is None else (tag("p", tag("a", "open in helpdesk", href=url)),)),
        *(tag("p", text, class_="warn") for text in _cautions(view, zone)),
        tag("h2", "Fields"),
        pairs((name, _field(value)) for name, value in sorted(view.fields.items())) if view.fields else tag("p", "None."),
        tag("h2", "Commitments"),
        *(tag("p", f"The clock {waits(waiting)}.") for waiting in explanation.waiting),
        table(_SUMMARY, (_commitment(each, explanation) for each in commitments)) if commitments else tag("p", "None."),
        *(tag("p", "Without a deadline: ", text, ".") for text in reasons_of(explanation, zone)),
        *((tag("h2", "Escalations"), table(_LEVELS, (_level(each, explanation) for each in levels))) if levels else ()),
        *((tag("h2", "Why"), *map(_why, explanation.deadlines)) if explanation.deadlines else ()),
    )


def _erased(view: TicketView) -> bytes:
    since = None if view.gone_since is None else _clock(view.gone_since, "UTC")
    return document(
        view.ticket,
        masthead(),
        tag("h1", view.ticket),
        tag("p", "The ticket was erased", " on " if since else None, since, ".", class_="warn"),
        tag("p", "Nothing else is known of it, and its later events are ignored.", class_="dim"),
    )


def _cautions(view: TicketView, zone: str) -> Iterator[str]:
    explanation = view.explanation
    if view.gone:
        yield f"The ticket is {view.gone}, so no clock is running."
    if not view.live:
        yield "The partition is catching up: later events may be waiting, and deadlines follow the time of the feed."
    if explanation.partial:
        yield "No creation event was received: the ticket begins with the first event that states that it is open."
    if any(deadline.provisional for deadline in explanation.deadlines):
        yield "Events may be missing: what is provisional is confirmed or taken back when the feed is complete again."
    if explanation.known_since is not None:
        yield f"Events up to {when(explanation.known_since, zone)} are no longer kept, so causes before it are unknown."


def _field(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _state(deadline: Deadline) -> Html:
    words = f"{deadline.verdict}".replace("_", " ")
    now = [span.kind for span in deadline.spans if not span.expected]
    if deadline.verdict is Outcome.PENDING and not deadline.ladder:
        words = "paused" if now and now[-1] is SpanKind.PAUSED else "running"
    if deadline.provisional:
        words += f", provisional: {_words(deadline.provisional)}"
    over = deadline.acknowledged is not None or deadline.released is not None
    return tag("span", words, class_=None if over else _CLASSES.get(deadline.verdict))


def _words(reason: ProvisionalReason) -> str:
    return reason.replace("_", " ")


def _due(deadline: Deadline) -> str:
    return due(deadline, deadline.timezone) if deadline.due is None else _clock(deadline.due, deadline.timezone)


def _left(deadline: Deadline, explanation: Explanation) -> str:
    if deadline.verdict is not Outcome.PENDING or deadline.due is None:
        return ""
    return left(deadline.due - explanation.until)


def _clock(instant: int, zone: str) -> Html:
    """Return an instant as text, with its exact form for programs."""
    return tag("time", when(instant, zone), datetime=format_instant(instant))


def _length(micros: int) -> Html:
    return tag("span", length(micros), class_="whole")


def _name(deadline: Deadline) -> str:
    kind = f" ({deadline.escalation_kind})" if deadline.escalation_kind else ""
    return name_of(deadline) + kind + (f" (cycle {deadline.cycle})" if deadline.cycle > 1 else "")


def _policy(deadline: Deadline) -> str:
    return f"{deadline.policy} v{deadline.policy_version}"


def _commitment(deadline: Deadline, explanation: Explanation) -> Html:
    cells = (
        _name(deadline),
        _state(deadline),
        _due(deadline),
        _left(deadline, explanation),
        _length(deadline.elapsed),
        _length(deadline.paused) if deadline.paused else "",
        _policy(deadline),
    )
    return row(_SUMMARY, cells)


def _level(deadline: Deadline, explanation: Explanation) -> Html:
    cells = (
        _name(deadline),
        _state(deadline),
        _due(deadline),
        _left(deadline, explanation),
        notifies(deadline),
        _acknowledged(deadline),
        _released(deadline),
        _policy(deadline),
    )
    return row(_LEVELS, cells)


def _acknowledged(deadline: Deadline) -> str:
    """Of a level that is not raised it is empty."""
    acknowledged = deadline.acknowledged
    if acknowledged is not None:
        return tag("span", _clock(acknowledged.at, deadline.timezone), by(acknowledged))
    return "no" if deadline.verdict is Outcome.RAISED else ""


def _released(deadline: Deadline) -> str:
    released = deadline.released
    if released is not None:
        return tag("span", _clock(released.at, deadline.timezone), release_reason(released))
    if deadline.monitored_until is not None:
        return tag("span", "monitored until ", _clock(deadline.monitored_until, deadline.timezone))
    return "no" if deadline.verdict is Outcome.RAISED else ""


def _why(deadline: Deadline) -> Html:
    zone = deadline.timezone
    versions = deadline.calendar_versions
    dated = f", versions since {', '.join(versions)}" if versions != ("first",) else ""
    entries: list[tuple[str, str]] = [
        ("Policy", f"{deadline.policy} version {deadline.policy_version}"),
        ("Calendar", f"{deadline.calendar} ({zone}){dated}"),
        ("Target", target(deadline)),
        ("Started", _clock(deadline.began, zone)),
        ("Due", _due(deadline)),
    ]
    if deadline.ladder:
        entries.append(("Notifies", notifies(deadline)))
    if deadline.verdict is Outcome.RAISED:
        entries += [("Acknowledged", _acknowledged(deadline)), ("Released", _released(deadline))]
    if deadline.terms:
        entries.append(("Terms", terms(deadline)))
    if deadline.ended is not None:
        entries.append(("Ended", _clock(deadline.ended, zone)))
    entries.append(("Counted", f"{length(deadline.elapsed)}, paused {length(deadline.paused)}"))
    if deadline.reason is not None:
        entries.append(("Reason", deadline.reason.replace("_", " ")))
    return tag(
        "details",
        tag("summary", _name(deadline), ": ", _state(deadline)),
        pairs(entries),
        table(_SPANS, _history(deadline)),
        open=deadline.verdict in _OPEN and not deadline.ladder,
    )


def _history(deadline: Deadline) -> Iterator[Html]:
    """Yield a row for each span of a deadline and for each effect between them, past and expected."""
    zone = deadline.timezone
    moments = [moment for moment in deadline.moments if moment.kind not in SHOWN_BY_SPANS]
    for span in deadline.spans:
        while moments and moments[0].at <= span.start:
            yield _moment(moments.pop(0), zone)
        yield _span(span, zone)
    for moment in moments:
        yield _moment(moment, zone)


def _span(span: Span, zone: str) -> Html:
    cells = (
        _clock(span.start, zone),
        _clock(span.end, zone),
        _length(span.wall),
        _length(span.counted) if span.counted else "",
        f"will be {span.kind}" if span.expected else span.kind.replace("_", " "),
        why(span),
    )
    return row(_SPANS, cells, "ahead" if span.expected else None)


def _moment(moment: Moment, zone: str) -> Html:
    name = f"{moment.ladder} " if moment.ladder else ""
    name += f"{moment.kind.partition('.')[2]} {moment.level}".rstrip().replace("_", " ")
    reason = moment.reason.replace("_", " ")
    if moment.kind is Kind.RETARGETED and moment.target is not None:
        reason += f", now {length(moment.target)}"
        reason += f", due {when(moment.due, zone)}" if moment.due is not None else ""
    if moment.assign_to:
        reason += f", assigned to {moment.assign_to}"
    if moment.provisional:
        reason += f", provisional: {_words(moment.provisional)}"
    if moment.cause != TIMER:
        reason += f" ({cause(moment.cause)})"
    what = f"will be {name}" if moment.expected else tag("strong", name)
    return row(_SPANS, (_clock(moment.at, zone), "", "", "", what, reason), "moment ahead" if moment.expected else "moment")
