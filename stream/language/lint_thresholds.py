"""Finds thresholds that do not fit their target: warnings that come too late, levels out of order, targets that never run out.

Two lengths are compared only on the same clock: whether ``1w`` or ``5bd`` is longer depends on the week.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sla.calendar.duration import Amount, Clock
from stream.sla.policy.conditions import ALWAYS, All, Condition, Fields, fields_read, holds
from stream.sla.policy.policy import Choice, Commitment, Ladder, Policy, Threshold, ThresholdKind
from stream.sla.policy.satisfiability import few_tickets

if TYPE_CHECKING:
    from stream.documents.document import Report
    from stream.sla.calendar.calendar import Calendar
    from stream.sla.calendar.delay import Delay

_Report = Callable[[str, str], None]

_START: Final = 1_767_571_200_000_000
"""2026-01-05T00:00Z, a Monday: the start of lengths that depend on their start (months)."""

_HOUR: Final = 3_600_000_000
_YEAR: Final = 365 * 24 * _HOUR
_MANY_YEARS: Final = 10
"""A longer target is a mistake, or its calendar is almost never open."""


class _Case(NamedTuple):
    """One kind of ticket, and the target it gets."""

    fields: Fields
    calendar: Calendar
    target: Amount | None
    delay: Delay | None
    """The target, if it is one in business days: how long it is depends on when the stopwatch starts."""
    text: str


def check_warnings(policy: Policy, commitment: Commitment, report: Report, calendars: Mapping[str, Calendar]) -> None:
    """Report warnings that have no effect, and targets that never run out."""
    reported: set[str] = set()

    def report_once(where: str, message: str) -> None:
        if message not in reported:
            reported.add(message)
            report((where,), message)

    used: set[Condition] = set()
    idle: dict[Condition, Fields] = {}
    for case in _cases(policy, commitment, calendars, commitment.warn_at.conditions):
        _check_target(case, report_once)
        for condition, thresholds in commitment.warn_at.cases:
            if holds(condition, case.fields):
                if case.target is None:
                    idle.setdefault(condition, case.fields)
                else:
                    used.add(condition)
                    _check_thresholds(thresholds, case, report_once)
                break
    for condition, fields in idle.items():
        if condition not in used:
            about = _about(condition, fields)
            report_once("warn_at", f"warns without a target{about}: add a target or remove the warning")


def _check_target(case: _Case, report: _Report) -> None:
    if case.target is None or case.target.clock is Clock.WALL:
        return
    calendar, end = case.calendar, case.calendar.closes_for_good()
    last = "" if end is None else calendar.zone.local_time(end)
    if case.delay is not None:
        due = case.delay.end(calendar, _START if end is None else 0)
        if due is None and end is not None:
            report(
                "target", f"{case.text} never comes: `{calendar.name}` has no such business day, it closes for good at {last}"
            )
        elif due is None or (end is None and due - _START > _YEAR * _MANY_YEARS):
            report("target", f"{case.text} takes over {_MANY_YEARS} years: `{calendar.name}` has few business days")
    elif end is not None:
        if calendar.after(0, case.target.micros) is None:
            hours = calendar.measure(0, end) // _HOUR
            report("target", f"{case.text} never passes: `{calendar.name}` is open {hours} hours in all, the last until {last}")
    else:
        opening = calendar.measure(_START, _START + _YEAR)
        if case.target.micros > opening * _MANY_YEARS:
            hours = opening // _HOUR
            report("target", f"{case.text} takes over {_MANY_YEARS} years: `{calendar.name}` is open {hours} hours a year")


def _check_thresholds(thresholds: tuple[Threshold, ...], case: _Case, report: _Report) -> None:
    for threshold in thresholds:
        position = _position(threshold, case)
        if position is None or case.target is None or case.delay is not None or position.clock is not case.target.clock:
            continue
        if position.micros <= 0:
            report("warn_at", f"`{threshold.text}` is at least as long as the target {case.text}: it would warn at the start")
        elif position.micros >= case.target.micros:
            report("warn_at", f"`{threshold.text}` is not before the deadline of the target {case.text}, so it has no effect")


def check_levels(policy: Policy, ladder: Ladder, report: Report, calendars: Mapping[str, Calendar]) -> None:
    """Report levels that come before the level below them, or before the start of their target."""
    basis = next((c for c in policy.commitments if c.name == ladder.commitment), None)
    if ladder.metric is not None:
        basis = Commitment(ladder.name, ladder.metric, Choice(()))
    if basis is None:
        return  # the commitment could not be read
    conditions = [condition for level in ladder.levels for condition in level.at.conditions]
    wrong: dict[int, tuple[str, str]] = {}
    for case in _cases(policy, basis, calendars, conditions, ladder.when):
        for index, key, message in _misplaced(ladder, case):
            wrong.setdefault(index, (key, message + _about(All(tuple(conditions)), case.fields)))
    for index, (key, message) in sorted(wrong.items()):
        report(("levels", index, key), message)


def _misplaced(ladder: Ladder, case: _Case) -> list[tuple[int, str, str]]:
    """Return index, key and message of every level that is out of order for one kind of ticket."""
    found = []
    below: dict[Clock, tuple[int, str]] = {}
    for index, level in enumerate(ladder.levels):
        threshold = level.at.of(case.fields)
        position = _position(threshold, case) if threshold is not None else None
        if threshold is None or position is None:
            continue
        key = "after" if threshold.kind is ThresholdKind.USED else "at"
        lower, text = below.get(position.clock, (0, ""))
        if position.micros <= 0:
            found.append((index, key, f"`{threshold.text}` is before the start of the target {case.text}"))
        elif position.micros < lower:
            found.append((index, key, f"`{threshold.text}` comes before `{text}`, which is a lower level"))
        else:
            below[position.clock] = (position.micros, threshold.text)
    return found


def _position(threshold: Threshold, case: _Case) -> Amount | None:
    """Return the position of a threshold on the stopwatch; ``None`` if it depends on when the stopwatch starts.

    Shares of a delay are compared with each other alone, and stand as their per mille.
    """
    target = case.target
    if case.delay is not None and target is not None:
        return Amount(target.clock, threshold.per_mille) if threshold.duration is None else None
    if threshold.duration is not None and threshold.duration.delay is not None:
        return None
    if threshold.duration is None:  # a share
        return target and Amount(target.clock, target.micros * threshold.per_mille // 1000)
    length = threshold.duration.resolve(case.calendar, _START)
    if threshold.kind is ThresholdKind.USED:
        return length
    if target is None or length.clock is not target.clock:
        return None
    return Amount(target.clock, target.micros + (-length.micros if threshold.kind is ThresholdKind.LEFT else length.micros))


def _cases(
    policy: Policy,
    commitment: Commitment,
    calendars: Mapping[str, Calendar],
    more: list[Condition],
    when: Condition = ALWAYS,
) -> list[_Case]:
    """Return every kind of ticket that the choices and ``more`` distinguish, if the commitment and ``when`` apply to it."""
    own = commitment.calendar or Choice(())
    choices = (own, policy.calendar, commitment.target)
    conditions = [*more, *(condition for choice in choices for condition in choice.conditions)]
    cases = []
    for fields in few_tickets(conditions, (policy.applies_to, commitment.when, when)):
        calendar = calendars.get(own.of(fields) or policy.calendar.of(fields) or "")
        if calendar is not None:
            target = commitment.target.of(fields)
            amount = target.resolve(calendar, _START) if target is not None else None
            delay = target.delay if target is not None else None
            cases.append(_Case(fields, calendar, amount, delay, target.text if target is not None else ""))
    return cases


def _about(condition: Condition, fields: Fields) -> str:
    """Return the tickets that are meant, by the fields of a condition: `` (priority p5)``."""
    named = [f"{field} {fields[field] or 'not set'}" for field in sorted(fields_read(condition)) if field in fields]
    return f" ({', '.join(named)})" if named else ""
