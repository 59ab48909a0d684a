"""Metrics as a policy file writes them: whole metrics, and the keys of one that a commitment replaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from stream.documents.document import Report
from stream.documents.readers import as_text, listed, part, read_name, read_word, read_yes_no, section, shown, suggestion, under
from stream.language.conditions import NEVER, read_condition
from stream.sla.policy.conditions import ALWAYS, Condition, Not, momentary
from stream.sla.policy.metric import BUILT_IN, Again, Metric, base_name, metric_name

CONDITIONS: Final = ("starts", "stops", "pauses", "resumes", "restarts", "cancels", "reopens")
STOPWATCH_KEYS: Final = (*CONDITIONS, "again", "starts_at")
"""The keys a stopwatch is written with, that of a ladder too."""
METRIC_KEYS: Final = (*STOPWATCH_KEYS, "timer")
"""The keys a metric is written with."""

if TYPE_CHECKING:
    from stream.language.scope import Scope
    from stream.sla.policy.policy import Choice

_Base = Callable[[str, Report], Metric | None]
_NOTHING: Final = Metric("", starts=NEVER, stops=NEVER)


@dataclass(frozen=True, slots=True)
class Written:
    """A metric as a file writes it, not yet read, because it may build on one that stands in another file."""

    data: object
    report: Report


def read_metrics(written: Mapping[str, Written]) -> dict[str, Metric | None]:
    """Every metric that a policy may name: the built-in ones and the written ones; ``None`` for one that could not be read."""
    metrics: dict[str, Metric | None] = dict(BUILT_IN)
    done: set[str] = set()

    def read(name: str, above: tuple[str, ...]) -> Metric | None:
        if name not in done:
            done.add(name)
            metrics[name] = _read_metric(name, written[name], base=lambda like, report: base(name, like, report, above))
        return metrics[name]

    def base(name: str, like: str, report: Report, above: tuple[str, ...]) -> Metric | None:
        if like == name and like in BUILT_IN:
            return BUILT_IN[like]
        if like == name or like in above:
            report((), f"`{name}` is like itself: {' -> '.join((*above, name, like))}")
            return None
        if like in written:
            return read(like, (*above, name))
        if like not in BUILT_IN:
            report((), f"there is no metric `{like}`{suggestion(like, {*BUILT_IN, *written})}; known: {listed(metrics)}")
        return BUILT_IN.get(like)

    for name in written:
        read(name, ())
    return metrics


def read_metric_keys(
    data: Mapping[str, object], report: Report, base: Metric | None, *, again: Again = Again.NEVER
) -> Metric | None:
    """The metric that the keys given in ``data`` make of ``base``, under the same name; a new one if there is no base."""
    metric = base or replace(_NOTHING, again=again)
    failed = False
    given: dict[str, Condition] = {}
    for name in CONDITIONS:
        if name in data:
            condition: Condition | None = part(data, name, report, read_condition)
            if condition is None:
                failed = True
            else:
                given[name] = condition
    if "again" in data:
        word = part(data, "again", report, read_word(Again))
        failed = failed or word is None
        metric = replace(metric, again=word or metric.again)
    if "timer" in data:
        timer = part(data, "timer", report, read_yes_no)
        failed = failed or timer is None
        metric = replace(metric, timer=bool(timer))
    if "starts_at" in data:
        field = part(data, "starts_at", report, _read_field)
        failed = failed or field is None
        metric = replace(metric, starts_at=field or "")
    if metric.starts_at and "starts" not in data and (base is None or not base.starts_at):
        given["starts"] = ALWAYS
    if metric.starts_at and momentary(given.get("starts", metric.starts)):
        report(("starts",), "a clock that starts at a date starts without an event: `starts` can only ask ticket fields")
        failed = True
    if base is None:
        for name in ("starts", "stops"):
            if name not in data and name not in given:
                report((), f"`{name}` is missing")
                failed = True
    if failed:
        return None
    # A condition that never holds is one the metric does not have, except for the two that every metric has.
    optional = {name: None if condition == NEVER else condition for name, condition in given.items()}
    metric = replace(
        metric,
        starts=given.get("starts", metric.starts),
        stops=given.get("stops", metric.stops),
        pauses=optional.get("pauses", metric.pauses),
        resumes=optional.get("resumes", metric.resumes),
        restarts=optional.get("restarts", metric.restarts),
        cancels=optional.get("cancels", metric.cancels),
    )
    if metric.resumes is not None and metric.pauses is None:
        report(("resumes",), "there is nothing to resume from: the metric has no `pauses`")
        return None
    return _with_reopens(metric, base, given, optional, report)


def _read_field(data: object, report: Report) -> str | None:
    field = as_text(data)
    if not field or field.startswith("@"):
        report((), f"must name the ticket field that has the date, not {shown(data)}")
        return None
    return field


def in_zone(metric: Metric, choice: Choice[str], scope: Scope, report: Report) -> Metric | None:
    """The metric, counted on these calendars. Where a date starts it, its dates begin in the zone of the calendars."""
    if not metric.starts_at:
        return metric
    calendars = [scope.calendars[name] for _, name in choice.cases]
    zones = {calendar.timezone: calendar.zone for calendar in calendars if calendar is not None}
    if len(zones) > 1:
        names = ", ".join(sorted(zones))
        report(("starts_at",), f"its calendars lie in different zones ({names}): a date must begin at one instant")
        return None
    if not zones:
        return None  # the calendar is a problem already
    placed = replace(metric, zone=next(iter(zones.values())))
    return replace(placed, name=metric_name(base_name(metric.name), placed))


def _with_reopens(
    metric: Metric,
    base: Metric | None,
    given: Mapping[str, Condition],
    optional: Mapping[str, Condition | None],
    report: Report,
) -> Metric | None:
    """``reopens`` as stated, as the base has it, or else: as soon as ``stops`` no longer holds."""
    if metric.again is not Again.CONTINUE:
        if "reopens" in given:
            report(("reopens",), f"has no effect with `again: {metric.again}`; write `again: continue`")
            return None
        return replace(metric, reopens=None)
    if "reopens" in optional:
        return replace(metric, reopens=optional["reopens"])
    kept = base.reopens if base is not None else None
    if kept is not None and base is not None and ("stops" not in given or kept != Not(base.stops)):
        return replace(metric, reopens=kept)
    if momentary(metric.stops):
        report((), "`again: continue` needs `reopens`: what stops this metric is an event, which is over at once")
        return None
    return replace(metric, reopens=Not(metric.stops))


def _read_metric(name: str, written: Written, base: _Base) -> Metric | None:
    report = written.report
    if read_name(name, report) is None:
        return None
    data = section(written.data, report, (*METRIC_KEYS, "like"))
    if data is None:
        return None
    if "like" not in data:
        metric = read_metric_keys(data, report, None)
    else:
        like = data["like"]
        here = under(report, "like")
        if not isinstance(like, str):
            here((), f"must name a metric, not {shown(like)}")
            return None
        start = base(like, here)
        metric = read_metric_keys(data, report, start) if start is not None else None
    if metric is None or metric == BUILT_IN.get(name):
        return metric
    return replace(metric, name=metric_name(name, metric))
