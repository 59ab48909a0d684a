"""A difference as plain data for JSON, with the same words as the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream.deployments.facts import Change, Part
from stream.deployments.phrasing import instant_words, problem_words, value_words, windows_words
from stream.sla.policy.condition_words import condition_words
from stream.sla.policy.conditions import ALWAYS

if TYPE_CHECKING:
    from stream.deployments.facts import DayChange, Difference, Fact, Hours, Place, Problem
    from stream.sla.policy.conditions import Condition


def plan_json(difference: Difference) -> dict[str, Any]:
    """The facts, the days and the problems of a difference. Keys that do not apply are left out."""
    return {
        "at": instant_words(difference.at),
        "different": bool(difference),
        "facts": [_fact(fact) for fact in difference.facts],
        "days": [_day(day) for day in difference.days],
        "problems": [_problem(problem) for problem in difference.problems],
    }


def _fact(fact: Fact) -> dict[str, Any]:
    found: dict[str, Any] = {"change": fact.change.value, **_place(fact.place)}
    if fact.part is not None:
        found |= {"part": fact.part.value, **_case(fact.when)}
        if fact.when is not None:
            found |= {"before": value_words(fact.before, fact.part), "after": value_words(fact.after, fact.part)}
    elif fact.change is Change.RENAMED:
        found["was"] = fact.before
    elif fact.change is Change.ADDED and fact.place.version:
        found |= {"compared_with": fact.before, "since": None if fact.after is None else value_words(fact.after, Part.SINCE)}
    return found


def _day(change: DayChange) -> dict[str, Any]:
    return {
        "calendar": change.calendar,
        "date": str(change.day),
        "before": _hours(change.before),
        "after": _hours(change.after),
    }


def _hours(hours: Hours) -> dict[str, Any]:
    return {"open": windows_words(hours), "note": hours.note}


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code.value,
        "severity": problem.severity.value,
        **_place(problem.place),
        **_case(problem.when),
        "message": problem_words(problem),
    }


def _place(place: Place) -> dict[str, Any]:
    parts = {
        "policy": place.policy,
        "version": place.version,
        "commitment": place.commitment,
        "ladder": place.ladder,
        "level": place.level,
        "calendar": place.calendar,
    }
    return {key: value for key, value in parts.items() if value}


def _case(when: Condition | None) -> dict[str, Any]:
    if when is None:
        return {"when": "too many kinds of tickets to list"}
    return {} if when == ALWAYS else {"when": condition_words(when)}
