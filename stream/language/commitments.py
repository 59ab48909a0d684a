"""One entry of ``commitments``: a metric, its target, its warnings."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from stream.documents.readers import part, part_or, read_name, read_word, read_yes_no, section, shown, under
from stream.language.choices import read_choice
from stream.language.conditions import read_clock_condition, read_ticket_condition
from stream.language.metrics import METRIC_KEYS, read_metric_keys
from stream.language.renames import read_was
from stream.language.thresholds import read_duration, read_share, read_target, read_warnings
from stream.sla.calendar.duration import Clock
from stream.sla.policy.conditions import ALWAYS, Condition
from stream.sla.policy.metric import base_name, metric_name
from stream.sla.policy.policy import YES, AtDeadline, Choice, Commitment, OnChange, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.documents.document import Report
    from stream.language.scope import Scope
    from stream.sla.calendar.duration import Duration
    from stream.sla.policy.metric import Metric

_KEYS: Final = (
    "metric",
    "name",
    "objective",
    "when",
    "target",
    "warn_at",
    "calendar",
    "on_change",
    "extensions",
    "at_deadline",
    "pause_time",
    "page",
    "was",
    *METRIC_KEYS,
)


def read_commitment(data: object, report: Report, scope: Scope) -> Commitment | None:
    """A commitment of one version of a policy; ``None`` after what is wrong was reported."""
    entry = section(data, report, _KEYS, required=("metric", "target"))
    if entry is None:
        return None
    base = part(entry, "metric", report, scope.read_metric)
    name = read_name(entry.get("name", entry.get("metric", "")), under(report, "name" if "name" in entry else "metric"))
    when: Condition | None = part(entry, "when", report, read_clock_condition) if "when" in entry else ALWAYS
    target = part(entry, "target", report, lambda value, here: read_choice(value, here, read_target))
    warn_at: Choice[tuple[Threshold, ...]] | None = Choice(())
    if "warn_at" in entry:
        warn_at = part(entry, "warn_at", report, lambda value, here: read_choice(value, here, read_warnings))
    calendar = part(
        entry,
        "calendar",
        report,
        lambda value, here: read_choice(
            value, here, scope.read_calendar_name, may_be_none=False, condition=read_ticket_condition
        ),
    )
    on_change = part(entry, "on_change", report, read_word(OnChange)) or OnChange.CARRY
    at_deadline = part(entry, "at_deadline", report, read_word(AtDeadline)) or AtDeadline.MET
    pause_time = part(entry, "pause_time", report, read_word(Clock)) or Clock.BUSINESS
    nothing: Choice[str] = Choice(())
    page = part_or(entry, "page", report, _read_page, nothing)
    objective = part(entry, "objective", report, _read_objective)
    cap = part(entry, "extensions", report, _read_cap)
    was = read_was(entry, report, name)
    metric = _metric(entry, report, base) if base and name else None
    if metric is not None and metric.timer and objective is not None:
        report(("objective",), "a timer promises nothing, so there is nothing to keep: take `objective` away")
    if metric is not None and metric.timer and "at_deadline" in entry:
        report(("at_deadline",), "a timer promises nothing, so it is never breached: take `at_deadline` away")
    if metric is not None and metric.timer and page.cases:
        report(("page",), "a timer promises nothing, so it is never breached: take `page` away")
    if metric is None or name is None or when is None or target is None or warn_at is None:
        return None
    return Commitment(
        name, metric, target, warn_at, when, calendar, objective, on_change, cap, was, at_deadline, pause_time, page
    )


def _metric(entry: Mapping[str, object], report: Report, base: Metric) -> Metric | None:
    """The metric, or, where the commitment changes parts of it, one of its own."""
    metric = read_metric_keys({key: entry[key] for key in METRIC_KEYS if key in entry}, report, base)
    return metric if metric is None or metric == base else replace(metric, name=metric_name(base_name(base.name), metric))


def _read_objective(data: object, report: Report) -> float | None:
    """The share to be kept: ``95%`` or 0.95."""
    if isinstance(data, str) and data.endswith("%"):
        share = read_share(data, report)
    elif isinstance(data, int | float) and not isinstance(data, bool):
        share = Fraction(str(data))
    else:
        report((), f"must be a share such as 95% or 0.95, not {shown(data)}")
        return None
    if share is not None and not 0 < share <= 1:
        report((), f"must be over 0 and at most 100%, not {shown(data)}; 95 of a hundred is written 95%")
        return None
    return float(share) if share is not None else None


def _read_page(data: object, report: Report) -> Choice[str] | None:
    """Yes or no, or a choice of it. Where nothing pages, it is the choice of a commitment without ``page``."""
    choice = read_choice(data, report, _read_word, may_be_none=False)
    return choice if choice is None or any(value == YES for _, value in choice.cases) else Choice(())


def _read_word(data: object, report: Report) -> str | None:
    word = read_yes_no(data, report)
    return None if word is None else YES if word else "no"


def _read_cap(data: object, report: Report) -> Duration | None:
    entry = section(data, report, ("cap",), required=("cap",))
    return part(entry, "cap", report, read_duration) if entry is not None else None
