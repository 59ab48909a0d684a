"""Policies that can be read and yet cannot be meant: each rule finds one such mistake.

A promise nobody can keep or break is worse than none, for it looks kept. The rules about conditions decide by looking at every
ticket and event that the conditions can tell apart (``stream.sla.policy.satisfiability``); where there are too many, they say
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.language.conditions import NEVER
from stream.language.lint_thresholds import levels_rise, marks_fit
from stream.sla.policy.conditions import All, AnyOf, Condition, Not, holds
from stream.sla.policy.metric import Again, Metric
from stream.sla.policy.satisfiability import example, possible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream.documents.document import Report
    from stream.language.policy import Reading
    from stream.sla.calendar.calendar import Calendar
    from stream.sla.policy.policy import Policy


def lint(readings: Sequence[Reading], calendars: Mapping[str, Calendar]) -> None:
    """Reports what is wrong with policies that could be read, each problem at its place."""
    versions: dict[str, list[Policy]] = {}
    for reading in readings:
        versions.setdefault(reading.policy.name, []).append(reading.policy)
    for reading in readings:
        policy, report = reading.policy, reading.report
        if not possible(policy.applies_to):
            report(("applies_to",), "holds for no ticket: the policy never applies")
            continue
        _follows(policy, versions[policy.name], report)
        _reached(policy, versions, report)
        for commitment in policy.commitments:
            here = reading.commitments[commitment.name]
            scope = (policy.applies_to, commitment.when)
            if _applies(scope, here, "commitment"):
                _row_runs(commitment.metric, scope, here)
                marks_fit(policy, commitment, here, calendars)
        for ladder in policy.ladders:
            here = reading.ladders[ladder.name]
            scope = (policy.applies_to, ladder.when)
            if _applies(scope, here, "ladder"):
                if ladder.metric is not None:
                    _row_runs(ladder.metric, scope, here)
                levels_rise(policy, ladder, here, calendars)


def _applies(scope: tuple[Condition, ...], report: Report, what: str) -> bool:
    if possible(All(scope)):
        return True
    report(("when",), f"holds for no ticket the policy applies to: the {what} never applies")
    return False


# Which policy is asked.


def _follows(policy: Policy, versions: Sequence[Policy], report: Report) -> None:
    """Of two versions in force at once the later ``since`` wins, so versions that do not follow one another hide each other."""
    for other in versions:
        if other.version < policy.version and (other.since or 0) >= (policy.since or 0):
            report(
                ("since",),
                f"version {policy.version} must begin after version {other.version}: give it a later `since` than that one has",
            )
            return


def _reached(policy: Policy, versions: Mapping[str, Sequence[Policy]], report: Report) -> None:
    """The first policy that applies wins; one that stands behind a wider one is never asked."""
    one = example(policy.applies_to)
    for name, others in versions.items():
        if name == policy.name:
            return  # it stands where the first of its versions stands
        wider = _in_force_from(others, policy.since)
        # One ticket settles nearly every pair of policies; only if it is taken by both, all are looked at.
        if not wider or any(one is not None and not holds(other.applies_to, one) for other in wider):
            continue
        if not any(possible(All((policy.applies_to, Not(other.applies_to)))) for other in wider):
            report(
                ("applies_to",),
                f"never reached: every ticket it applies to is taken by `{name}`, which stands before it; "
                "put the narrower policy first",
            )
            return


def _in_force_from(versions: Sequence[Policy], since: int | None) -> list[Policy]:
    """The versions in force at ``since`` or later; none if there is a time after ``since`` when none is."""
    ordered = sorted(versions, key=lambda policy: (policy.since or 0, policy.version))
    begun = [index for index, policy in enumerate(ordered) if (policy.since or 0) <= (since or 0)]
    return ordered[begun[-1] :] if begun else []


# Whether a stopwatch runs and stops.


def _row_runs(metric: Metric, scope: tuple[Condition, ...], report: Report) -> None:
    starts, stops = metric.starts, metric.stops
    ends = (Not(stops), Not(metric.cancels or NEVER))
    if not possible(All((*scope, starts))):
        report((), f"never starts: `starts` of `{metric.name}` holds for no event on a ticket it applies to")
    elif not possible(All((*scope, AnyOf((starts, metric.reopens or NEVER)), *ends))):
        report((), f"never runs: whenever `starts` of `{metric.name}` holds, `stops` or `cancels` holds too, and wins")
    elif not possible(All((*scope, AnyOf((stops, metric.restarts or NEVER))))):
        report((), f"never stops: `stops` of `{metric.name}` holds for no event on a ticket it applies to")
    elif metric.pauses is not None and _always_paused(metric, metric.pauses, scope, ends):
        report((), f"always paused: `pauses` of `{metric.name}` holds from the start, and nothing ends the pause")


def _always_paused(metric: Metric, pauses: Condition, scope: tuple[Condition, ...], ends: tuple[Condition, ...]) -> bool:
    begins = AnyOf((metric.starts, *((metric.reopens,) if metric.again is Again.CONTINUE and metric.reopens else ())))
    if possible(All((*scope, begins, *ends, Not(pauses)))):
        return False
    resumes = metric.resumes if metric.resumes is not None else Not(pauses)
    return not possible(All((*scope, resumes, *ends)))
