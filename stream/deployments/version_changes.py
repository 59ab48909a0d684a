"""The differences between two versions of a policy, or between two contents of one version."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from stream.deployments.cases import changed_cases
from stream.deployments.facts import METRIC_PARTS, Change, Fact, Part, Place, Value
from stream.deployments.pairing import Pairs, pair, unnamed
from stream.sla.calendar.duration import Duration
from stream.sla.policy.policy import Choice, Commitment, Ladder, Level, Policy, Threshold

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stream.sla.policy.conditions import Condition
    from stream.sla.policy.metric import Metric

T = TypeVar("T", Duration, Threshold, tuple[Threshold, ...], str)
N = TypeVar("N", Commitment, Ladder, Level)


def version_changes(before: Policy, after: Policy) -> list[Fact]:
    """All differences, those of the version itself first. ``since`` is one only of a version that has kept its number."""
    place = Place(after.name, after.version)
    facts = _values(place, {Part.APPLIES_TO: (before.applies_to, after.applies_to)})
    if before.version == after.version:
        facts += _values(place, {Part.SINCE: (before.since, after.since)})
    facts += _cases(place, Part.CALENDAR, (before.calendar, after.calendar), (after.applies_to,))
    commitments = pair(before.commitments, after.commitments)
    scope = after.applies_to
    facts += _things(
        commitments,
        lambda name: replace(place, commitment=name),
        lambda old, new, here: _commitment(old, new, here, scope),
    )
    facts += _things(
        pair(before.ladders, after.ladders),
        lambda name: replace(place, ladder=name),
        lambda old, new, here: _ladder(_under_new_names(old, commitments.renamed), new, here, scope),
    )
    return facts


def _things(pairs: Pairs[N], at: Callable[[str], Place], changes: Callable[[N, N, Place], list[Fact]]) -> list[Fact]:
    facts: list[Fact] = []
    kept = {new.name: (old, new) for old, new in pairs.kept}
    for old, new in kept.values():
        here = at(new.name)
        if old.name != new.name:
            facts.append(Fact(Change.RENAMED, here, before=old.name, after=new.name))
        facts += changes(old, new, here)
    facts += [Fact(Change.ADDED, at(thing.name)) for thing in pairs.added]
    facts += [Fact(Change.WITHDRAWN, at(thing.name)) for thing in pairs.withdrawn]
    return facts


def _commitment(before: Commitment, after: Commitment, here: Place, applies_to: Condition) -> list[Fact]:
    scope = (applies_to, after.when)
    none: Choice[str] = Choice(())
    return [
        *_metric(before.metric, after.metric, here),
        *_cases(here, Part.TARGET, (before.target, after.target), scope),
        *_cases(here, Part.WARN_AT, (before.warn_at, after.warn_at), scope),
        *_cases(here, Part.CALENDAR, (before.calendar or none, after.calendar or none), scope),
        *_cases(here, Part.PAGE, (before.page, after.page), scope),
        *_values(
            here,
            {
                Part.WHEN: (before.when, after.when),
                Part.ON_CHANGE: (before.on_change.value, after.on_change.value),
                Part.EXTENSIONS: (before.extension_cap, after.extension_cap),
                Part.AT_DEADLINE: (before.at_deadline.value, after.at_deadline.value),
                Part.PAUSE_TIME: (before.pause_time.value, after.pause_time.value),
                Part.OBJECTIVE: (before.objective, after.objective),
            },
        ),
    ]


def _ladder(before: Ladder, after: Ladder, here: Place, applies_to: Condition) -> list[Fact]:
    scope = (applies_to, after.when)
    levels = pair(before.levels, after.levels)
    renamed = levels.renamed
    facts = _metric(before.metric, after.metric, here)
    facts += _values(
        here,
        {
            Part.KIND: (before.kind.value, after.kind.value),
            Part.ON: (before.commitment, after.commitment),
            Part.WHEN: (before.when, after.when),
            Part.OWNER: (before.owner, after.owner),
            Part.ON_REQUEST: (
                _request(renamed.get(before.on_request, before.on_request), before.request_after),
                _request(after.on_request, after.request_after),
            ),
            Part.RAISE_AGAIN_AFTER: (before.raise_again_after, after.raise_again_after),
            Part.MONITORING: (before.monitoring, after.monitoring),
        },
    )
    facts += _things(levels, lambda name: replace(here, level=name), lambda old, new, at: _level(old, new, at, scope))
    # The order of those that stay: a level that comes or goes is another fact.
    old_order = tuple(sorted((new.name for _, new in levels.kept), key=_places(before.levels, renamed).__getitem__))
    facts += _values(here, {Part.ORDER: (old_order, tuple(new.name for _, new in levels.kept))})
    return facts


def _level(before: Level, after: Level, here: Place, scope: tuple[Condition, ...]) -> list[Fact]:
    none: Choice[str] = Choice(())
    return [
        *_cases(here, Part.AT, (before.at, after.at), scope),
        *_cases(here, Part.ASSIGN_TO, (before.assign_to or none, after.assign_to or none), scope),
        *_values(
            here,
            {
                Part.NOTIFY: (before.notify, after.notify),
                Part.REPEAT_EVERY: (before.repeat_every, after.repeat_every),
                Part.MAX_REPEATS: (before.max_repeats, after.max_repeats),
                Part.ONLY_IN_BUSINESS_HOURS: (before.only_in_business_hours, after.only_in_business_hours),
            },
        ),
    ]


def _metric(before: Metric | None, after: Metric | None, here: Place) -> list[Fact]:
    """The name of the metric, unless the metric is the thing's own, and its conditions."""
    old, new = unnamed(before), unnamed(after)
    names = tuple(metric.name if metric is not None else "" for metric in (old, new))
    facts = _values(here, {Part.METRIC: (names[0], names[1])})
    return facts + _values(here, {part: (getattr(old, part, None), getattr(new, part, None)) for part in METRIC_PARTS})


def _under_new_names(ladder: Ladder, renamed: Mapping[str, str]) -> Ladder:
    """An old ladder, with its commitments by the names that they have now."""
    return replace(
        ladder,
        commitment=renamed.get(ladder.commitment, ladder.commitment),
        request_after=renamed.get(ladder.request_after, ladder.request_after),
    )


def _places(levels: Sequence[Level], renamed: Mapping[str, str]) -> dict[str, int]:
    return {renamed.get(level.name, level.name): index for index, level in enumerate(levels)}


def _request(level: str, after: str) -> tuple[str, ...]:
    return tuple(filter(None, (level, after)))


def _values(here: Place, parts: Mapping[Part, tuple[Value, Value]]) -> list[Fact]:
    return [Fact(Change.CHANGED, here, part, old, new) for part, (old, new) in parts.items() if old != new]


def _cases(here: Place, part: Part, choices: tuple[Choice[T], Choice[T]], scope: tuple[Condition, ...]) -> list[Fact]:
    return [
        Fact(Change.CHANGED, here, part, case.before, case.after, case.when)
        for case in changed_cases(choices[0], choices[1], scope)
    ]
