"""Finds mistakes in policies that are valid but cannot be intended. Each rule finds one kind of mistake.

A commitment that can be neither met nor breached is worse than a missing one, because it looks met. The rules about conditions
try every ticket and event that the conditions can distinguish (``stream.sla.policy.satisfiability``). If there are too many to
try, they report nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.language.conditions import NEVER
from stream.language.lint_thresholds import check_levels, check_warnings
from stream.sla.calendar.duration import Clock
from stream.sla.policy.conditions import STARTED, All, AnyOf, Condition, Not, fields_read, holds
from stream.sla.policy.metric import Again, Metric, base_name
from stream.sla.policy.satisfiability import example, possible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream.documents.document import Report
    from stream.language.policy import Reading
    from stream.sla.calendar.calendar import Calendar
    from stream.sla.policy.policy import Choice, Commitment, Policy


def lint(readings: Sequence[Reading], calendars: Mapping[str, Calendar]) -> None:
    """Report the problems of policies that were read, each at its place."""
    versions: dict[str, list[Policy]] = {}
    for reading in readings:
        versions.setdefault(reading.policy.name, []).append(reading.policy)
    for reading in readings:
        policy, report = reading.policy, reading.report
        if not possible(policy.applies_to):
            report(("applies_to",), "does not hold for any ticket: the policy never applies")
            continue
        _follows(policy, versions[policy.name], report)
        _reached(policy, versions, report)
        for commitment in policy.commitments:
            here = reading.commitments[commitment.name]
            scope = (policy.applies_to, commitment.when)
            if _applies(scope, here, "commitment"):
                _stopwatch_runs(commitment.metric, scope, here)
                check_warnings(policy, commitment, here, calendars)
                _pauses_move(commitment, here)
                choices = {"when": [commitment.when], "target": commitment.target.conditions}
                choices["warn_at"] = commitment.warn_at.conditions
                choices["page"] = commitment.page.conditions
                _starts_differ(choices, commitment.calendar or policy.calendar, here, calendars)
        for ladder in policy.ladders:
            here = reading.ladders[ladder.name]
            scope = (policy.applies_to, ladder.when)
            if _applies(scope, here, "ladder"):
                if ladder.metric is not None:
                    _stopwatch_runs(ladder.metric, scope, here)
                check_levels(policy, ladder, here, calendars)
                below = next((one for one in policy.commitments if one.name == ladder.commitment), None)
                own = None if below is None else below.calendar
                asked = [ladder.when, *(condition for level in ladder.levels for condition in level.at.conditions)]
                _starts_differ({"when": asked}, own or policy.calendar, here, calendars)


def _applies(scope: tuple[Condition, ...], report: Report, what: str) -> bool:
    if possible(All(scope)):
        return True
    report(("when",), f"does not hold for any ticket of the policy: the {what} never applies")
    return False


def _starts_differ(
    asked: Mapping[str, list[Condition]], choice: Choice[str], report: Report, calendars: Mapping[str, Calendar]
) -> None:
    """Report a question how a clock started on calendars that never close. ``asked``: by key, its conditions."""
    names = sorted({name for _, name in choice.cases})
    if all(name in calendars and calendars[name].always_open for name in names):
        for key, conditions in asked.items():
            if any(STARTED in fields_read(condition) for condition in conditions):
                report((key,), f"no clock starts out of hours: `{'`, `'.join(names)}` never closes; give it another calendar")


def _pauses_move(commitment: Commitment, report: Report) -> None:
    """Report a `pause_time: wall` that moves no deadline."""
    if commitment.pause_time is not Clock.WALL:
        return
    if all(target.clock is Clock.WALL for _, target in commitment.target.cases):
        report(("pause_time",), "moves nothing: no target is in business time, and on the wall a pause always counts so")
    elif commitment.metric.pauses is None and commitment.metric.again is not Again.CONTINUE:
        report(("pause_time",), f"moves nothing: the metric `{base_name(commitment.metric.name)}` is never paused")


# Which policy applies.


def _follows(policy: Policy, versions: Sequence[Policy], report: Report) -> None:
    """Report a version that does not begin after the one before it. The later ``since`` wins, so it would hide the other."""
    for other in versions:
        if other.version < policy.version and (other.since or 0) >= (policy.since or 0):
            report(
                ("since",),
                f"version {policy.version} must begin after version {other.version}: give it a later `since`",
            )
            return


def _reached(policy: Policy, versions: Mapping[str, Sequence[Policy]], report: Report) -> None:
    """Report a policy that is never used. The first policy that applies wins, so a wider one before it hides it."""
    one = example(policy.applies_to)
    for name, others in versions.items():
        if name == policy.name:
            return  # all versions have the position of the first
        wider = _in_force_from(others, policy.since)
        # One ticket decides nearly every pair of policies. Only if both apply to it, all tickets are tried.
        if not wider or any(one is not None and not holds(other.applies_to, one) for other in wider):
            continue
        if not any(possible(All((policy.applies_to, Not(other.applies_to)))) for other in wider):
            report(
                ("applies_to",),
                f"never reached: `{name}`, an earlier policy, applies to all of its tickets; put the narrower policy first",
            )
            return


def _in_force_from(versions: Sequence[Policy], since: int | None) -> list[Policy]:
    """Return the versions in force at ``since`` or later; empty if no version is in force at ``since``."""
    ordered = sorted(versions, key=lambda policy: (policy.since or 0, policy.version))
    started = [index for index, policy in enumerate(ordered) if (policy.since or 0) <= (since or 0)]
    return ordered[started[-1] :] if started else []


# Whether a stopwatch runs and stops.


def _stopwatch_runs(metric: Metric, scope: tuple[Condition, ...], report: Report) -> None:
    starts, stops = metric.starts, metric.stops
    ends = (Not(stops), Not(metric.cancels or NEVER))
    if not possible(All((*scope, starts))):
        report((), f"never starts: `starts` of `{base_name(metric.name)}` does not hold for any event of its tickets")
    elif not possible(All((*scope, AnyOf((starts, metric.reopens or NEVER)), *ends))):
        report(
            (),
            f"never runs: whenever `starts` of `{base_name(metric.name)}` holds, `stops` or `cancels` holds too and takes "
            "precedence",
        )
    elif not possible(All((*scope, AnyOf((stops, metric.restarts or NEVER))))):
        report((), f"never stops: `stops` of `{base_name(metric.name)}` does not hold for any event of its tickets")
    elif metric.pauses is not None and _always_paused(metric, metric.pauses, scope, ends):
        report((), f"always paused: `pauses` of `{base_name(metric.name)}` holds from the start, and nothing ends the pause")


def _always_paused(metric: Metric, pauses: Condition, scope: tuple[Condition, ...], ends: tuple[Condition, ...]) -> bool:
    begins = AnyOf((metric.starts, *((metric.reopens,) if metric.again is Again.CONTINUE and metric.reopens else ())))
    if possible(All((*scope, begins, *ends, Not(pauses)))):
        return False
    resumes = metric.resumes if metric.resumes is not None else Not(pauses)
    return not possible(All((*scope, resumes, *ends)))
