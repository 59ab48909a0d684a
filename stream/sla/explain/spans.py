"""A cycle of a stopwatch cut into spans: by its phases, by what happened, and by the calendar."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from stream.sla.calendar.duration import Clock
from stream.sla.calendar.week import StretchKind
from stream.sla.calendar.zone import DAY, EPOCH
from stream.sla.explain.explanation import CALENDAR, Span, SpanKind
from stream.sla.ticket.stopwatch import HALTED, PAUSED, RUNNING, STOPPED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.sla.calendar.calendar import Calendar
    from stream.sla.ticket.stopwatch import Placement, Stopwatch

_KIND_OF_PHASE = {RUNNING: SpanKind.RUNNING, PAUSED: SpanKind.PAUSED, STOPPED: SpanKind.SOLVED, HALTED: SpanKind.ENDED}
_KINDS = {StretchKind.OPEN: SpanKind.RUNNING, StretchKind.CLOSED: SpanKind.CLOSED, StretchKind.HOLIDAY: SpanKind.HOLIDAY}


class Why(NamedTuple):
    """With what a span began."""

    cause: str
    change: str


class Cuts(NamedTuple):
    """The ends of the spans of a cycle, besides the ends of its phases. Instants are epoch microseconds."""

    upto: int
    """The end of the last span."""
    until: int
    """Spans from here on are expected."""
    why: Mapping[int, Why]
    """Every instant at which something happened, and what; those outside of the cycle do not matter."""


class _Measure(NamedTuple):
    """The rule by which the stretches of a cycle count."""

    clock: Clock
    calendar: Calendar
    cuts: Cuts


def spans(
    watch: Stopwatch, clock: Clock, calendar: Calendar, cuts: Cuts, set_aside: int = 0, *, placement: Placement | None = None
) -> list[Span]:
    """The present cycle up to ``cuts.upto``, counted on that clock; the first ``set_aside`` microseconds do not count.

    ``placement``: as in ``Stopwatch.elapsed``.
    """
    found: list[Span] = []
    moved_from = watch.began if placement is None else placement.at
    before = since = 0  # how much later the calendar is read than it stands, before that instant and from it on
    totals, stretches = watch.totals, list(watch.stretches(cuts.upto))
    if totals is not None and totals.until <= cuts.upto:
        # The first stretch that is kept may have begun before the last that is added up was known to have ended.
        end = min(totals.until, stretches[0][0]) if stretches else totals.until
        counted = totals.spent(False, clock, calendar, watch.began)
        if placement is not None:
            counted = calendar.measure(watch.began, watch.began + min(totals.ran, placement.ran))
            before = end - watch.began - totals.ran
            if moved_from < end:
                counted += calendar.measure(moved_from, moved_from + max(totals.ran - placement.ran, 0))
                since = end - moved_from - max(totals.ran - placement.ran, 0)
        note = "events that are not kept any more"
        found.append(Span(start=watch.began, end=end, kind=SpanKind.RUNNING, counted=counted, note=note))
    edges, measure = (*cuts.why, cuts.until, moved_from), _Measure(clock, calendar, cuts)
    for start, end, phase in stretches:
        kind = _KIND_OF_PHASE[phase]
        for low, high in pairwise(sorted({start, end, *(edge for edge in edges if start < edge < end)})):
            found += _split(low, high, kind, measure, before if low < moved_from else since)
        if placement is not None and phase != RUNNING:
            before += max(min(end, moved_from) - start, 0)
            since += max(end - max(start, moved_from), 0)
    return _without(found, set_aside) if set_aside else found


def _split(low: int, high: int, kind: SpanKind, measure: _Measure, moved: int) -> list[Span]:
    """``moved``: how much later the calendar is read than it stands."""
    clock, calendar, cuts = measure
    cause_of_first = cuts.why.get(low, Why("", ""))
    expected = low >= cuts.until
    if kind is not SpanKind.RUNNING or clock is Clock.WALL:
        counted = high - low if kind is SpanKind.RUNNING else 0
        return [
            Span(
                start=low,
                end=high,
                kind=kind,
                counted=counted,
                cause=cause_of_first.cause,
                change=cause_of_first.change,
                expected=expected,
            )
        ]
    found = []
    for opens, closes, open_or_closed, note in calendar.stretches(low - moved, high - moved):
        start, end = opens + moved, closes + moved
        why = cause_of_first if start == low else Why(CALENDAR, "")
        found.append(
            Span(
                start=start,
                end=end,
                kind=_KINDS[open_or_closed],
                counted=end - start if open_or_closed is StretchKind.OPEN else 0,
                note=note,
                # An event can fall on the very instant of an opening: then it is the event that is named.
                cause=why.cause,
                change=why.change,
                expected=expected,
            )
        )
    return found


def _without(found: list[Span], left: int) -> list[Span]:
    """The spans, of which the first ``left`` counted microseconds are set aside."""
    rest = []
    for span in found:
        if not left or not span.counted:
            rest.append(span)
            continue
        taken = min(left, span.counted)
        left -= taken
        # Of the time that is added up not all counts, and it is not known which part of it.
        middle = span.end if taken == span.counted else span.start + taken
        rest.append(_part(span, span.start, middle, SpanKind.SET_ASIDE, 0))
        if middle < span.end:
            rest.append(_part(span, middle, span.end, span.kind, span.counted - taken))
    return rest


def _part(span: Span, start: int, end: int, kind: SpanKind, counted: int) -> Span:
    return Span(
        start=start,
        end=end,
        kind=kind,
        counted=counted,
        note=span.note,
        cause=span.cause,
        change=span.change,
        expected=span.expected,
    )


def content_versions(calendar: Calendar, start: int, end: int) -> tuple[str, ...]:
    """The versions of a calendar's content that hold somewhere in [start, end], by the local date since when."""
    versions = calendar.content.versions
    first, last = (
        bisect_right(
            versions,
            date.fromordinal(EPOCH.toordinal() + calendar.zone.reading_at(instant) // DAY),
            key=lambda version: version.since,
        )
        for instant in (start, max(start, end))
    )
    return tuple("first" if v.since == date.min else v.since.isoformat() for v in versions[first - 1 : last])
