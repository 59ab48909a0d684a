"""A difference as a plan on a screen: ``+`` is added, ``-`` is withdrawn, ``~`` is changed or renamed."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from stream.deployments.facts import Change, Severity
from stream.deployments.phrasing import hours_words, part_words, place_words, problem_words, version_words
from stream.sla.policy.condition_words import condition_words
from stream.sla.policy.conditions import ALWAYS
from stream.wire.counting import many

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stream.deployments.facts import DayChange, Difference, Fact, Problem

_SIGNS: Final = {
    Change.ADDED: "+",
    Change.WITHDRAWN: "-",
    Change.CHANGED: "~",
    Change.RENAMED: "~",
    Change.DROPPED: "~",
}
_LISTED_DAYS: Final = 3
"""As many dates with the same change are listed; of more, the first and the last."""


def plan_lines(difference: Difference) -> Iterator[str]:
    """The plan in lines, with the problems of the step and a summary."""
    if not (difference.facts or difference.days):
        yield "no difference"
        return
    for _, facts in groupby(difference.facts, key=lambda fact: (fact.place.policy, fact.place.calendar)):
        yield from _thing(list(facts))
    for calendar, days in groupby(difference.days, key=lambda day: day.calendar):
        yield f"~ calendar {calendar}, hours"
        yield from _days(list(days))
    yield ""
    for problem in difference.problems:
        yield problem_line(problem)
    yield _summary(difference)


def problem_line(problem: Problem) -> str:
    """``warning: target-shortened: support, version 1, commitment resolution (priority p1): ...``."""
    case = f" ({condition_words(problem.when)})" if problem.when not in (None, ALWAYS) else ""
    return f"{problem.severity}: {problem.code}: {place_words(problem.place)}{case}: {problem_words(problem)}"


def _thing(facts: Sequence[Fact]) -> Iterator[str]:
    """The facts of one policy, of one calendar, or of the set as a whole."""
    place = facts[0].place
    if not place.policy and not place.calendar:
        yield from (f"~ policies, {part_words(fact)}" for fact in facts)
        return
    name = f"policy {place.policy}" if place.policy else place_words(place)
    whole = facts[0] if facts[0].part is None and not place.version else None
    sign = _SIGNS[whole.change] if whole is not None else "~"
    yield f"{sign} {name}" + (f", was {whole.before}" if whole is not None and whole.change is Change.RENAMED else "")
    for fact in facts[1:] if whole is not None else facts:
        yield _line(fact)


def _line(fact: Fact) -> str:
    """One fact below the policy or calendar that it is about."""
    place = fact.place
    if fact.part is None and not (place.commitment or place.ladder):
        return f"    {_SIGNS[fact.change]} {version_words(fact)}"
    within = ", ".join(
        f"{word} {name}"
        for word, name in (("commitment", place.commitment), ("ladder", place.ladder), ("level", place.level))
        if name
    )
    indent = "        " if place.version else "    "
    if fact.part is None:
        return f"{indent}{_SIGNS[fact.change]} {within}" + (f", was {fact.before}" if fact.change is Change.RENAMED else "")
    return f"{indent}~ {within + ', ' if within else ''}{part_words(fact)}"


def _days(days: Sequence[DayChange]) -> Iterator[str]:
    """Dates with the same change together, in the order of the first of each."""
    alike: dict[tuple[str, str], list[DayChange]] = {}
    for day in days:
        alike.setdefault((hours_words(day.before), hours_words(day.after)), []).append(day)
    for (before, after), found in alike.items():
        dates = [f"{day.day:%a} {day.day}" for day in found]
        when = ", ".join(dates) if len(dates) <= _LISTED_DAYS else f"{len(dates)} days, {dates[0]} to {dates[-1]}"
        yield f"    ~ {when}: {before} -> {after}"


def _summary(difference: Difference) -> str:
    whole = [fact.change for fact in difference.facts if fact.part is None and fact.place.policy and not fact.place.version]
    touched = {fact.place.policy for fact in difference.facts if fact.place.policy and fact.change is not Change.DROPPED}
    counts = {change: whole.count(change) for change in (Change.ADDED, Change.WITHDRAWN, Change.RENAMED)}
    changed = len(touched) - sum(counts.values())
    errors = sum(problem.severity is Severity.ERROR for problem in difference.problems)
    policies = [f"{count} {word}" for word, count in {**counts, Change.CHANGED: changed}.items()]
    calendars = {fact.place.calendar for fact in difference.facts if fact.place.calendar}
    calendars |= {day.calendar for day in difference.days}
    return (
        f"policies: {', '.join(policies)}; calendars: {len(calendars)} changed, on {many(len(difference.days), 'day')}; "
        f"{many(errors, 'error')}, {many(len(difference.problems) - errors, 'warning')}"
    )
