"""Problems of a step from one set of policies to another: each rule finds one kind of problem.

``check`` judges the new files alone. These rules judge what the new files do to what was deployed before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from stream.deployments.calendar_changes import day_of
from stream.deployments.facts import METRIC_PARTS, Change, Code, Fact, Part, Place, Problem
from stream.deployments.pairing import (
    Pairs,
    commitment_content,
    ladder_content,
    onto_existing,
    pair,
    policy_content,
)
from stream.deployments.versions import Versions, base_of
from stream.sla.calendar.duration import Duration
from stream.sla.policy.conditions import All
from stream.sla.policy.policy import Choice, Commitment, Ladder, Level
from stream.sla.policy.resolve import PolicySet
from stream.sla.policy.satisfiability import possible
from stream.sla.ticket.bounds import NAMED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stream.deployments.facts import DayChange
    from stream.sla.policy.policy import Policy

T = TypeVar("T", Commitment, Ladder, Level)


@dataclass(frozen=True, slots=True)
class Step:
    """From the old set to the new one at an instant, with what was found out about it."""

    old: PolicySet
    new: PolicySet
    at: int
    policies: Pairs[Versions]
    facts: tuple[Fact, ...]
    days: tuple[DayChange, ...]


def problems_of(step: Step) -> list[Problem]:
    """Errors first, each list in the order of the new files."""
    found = dict.fromkeys(
        (
            *_policies(step),
            *(problem for old, new in step.policies.kept for problem in _versions(old, new, step.at)),
            *_parts(step),
            *_past(step),
            *_takeovers(step),
            *_fields(step),
        )
    )
    return sorted(found, key=lambda problem: problem.severity.value)


def _policies(step: Step) -> Iterator[Problem]:
    """Policies that are gone, and those that are likely the same under another name."""
    same = step.policies.equal(lambda versions: policy_content(versions.latest))
    for old, new in same:
        yield Problem(Code.RENAME_WITHOUT_WAS, Place(new.name), old.name, new.name)
    for old in step.policies.withdrawn:
        if old not in [gone for gone, _ in same]:
            yield Problem(Code.POLICY_WITHDRAWN, Place(old.name))
    everything = [*(old for old, _ in step.policies.kept), *step.policies.withdrawn]
    for new in onto_existing(everything, [*(new for _, new in step.policies.kept), *step.policies.added]):
        yield Problem(Code.RENAME_ONTO_EXISTING, Place(new.name), new.was, new.name)


# The versions of one policy.


def _versions(old: Versions, new: Versions, at: int) -> Iterator[Problem]:
    for number, policy in new.by_number.items():
        place = Place(new.name, number)
        same = old.by_number.get(number)
        base = same or base_of(number, old, new)
        if base is not None:
            yield from _things(base, policy, in_place=same is not None)
        if same is None and policy.since is None and base is not None:
            yield Problem(Code.VERSION_WITHOUT_SINCE, place)
        elif (same is None or same.since != policy.since) and policy.since is not None and policy.since < at:
            yield Problem(Code.SINCE_BEFORE_DEPLOYMENT, place, after=policy.since)
    for number, dropped in old.by_number.items():
        if number not in new.by_number:
            yield from _follows(dropped, new)
    newest = max(old.by_number)
    if newest > max(new.by_number):
        yield Problem(Code.VERSION_STAYS_IN_FORCE, Place(new.name, newest), after=old.latest.since)


def _follows(dropped: Policy, new: Versions) -> Iterator[Problem]:
    """Versions that do not begin in the order of their numbers. Among those of one file the check has found them."""
    for number, policy in new.by_number.items():
        later, earlier = (policy, dropped) if number > dropped.version else (dropped, policy)
        if (later.since or 0) <= (earlier.since or 0) and policy.since is not None:
            yield Problem(Code.VERSION_DOES_NOT_FOLLOW, Place(new.name, number), dropped.version, policy.since)


def _things(before: Policy, after: Policy, *, in_place: bool) -> Iterator[Problem]:
    """Commitments, ladders and levels that are gone or have other names."""
    place = Place(after.name, after.version)
    yield from _named(
        before.commitments,
        after.commitments,
        commitment_content,
        lambda thing: replace(place, commitment=thing.name),
        Code.COMMITMENT_WITHDRAWN if in_place else None,
    )
    renamed = pair(before.commitments, after.commitments).renamed
    old_ladders = [replace(ladder, commitment=renamed.get(ladder.commitment, ladder.commitment)) for ladder in before.ladders]
    yield from _named(
        old_ladders,
        after.ladders,
        ladder_content,
        lambda thing: replace(place, ladder=thing.name),
        Code.LADDER_WITHDRAWN if in_place else None,
    )
    for old, new in pair(before.ladders, after.ladders).kept:
        yield from _named(old.levels, new.levels, _level_content, partial(_of_level, replace(place, ladder=new.name)), None)


def _level_content(level: Level) -> Level:
    return replace(level, name="", was="")


def _of_level(ladder: Place, level: Level) -> Place:
    return replace(ladder, level=level.name)


def _named(
    before: Sequence[T],
    after: Sequence[T],
    content: Callable[[T], object],
    at: Callable[[T], Place],
    withdrawn: Code | None,
) -> Iterator[Problem]:
    pairs = pair(before, after)
    same = pairs.equal(content)
    for old, new in same:
        yield Problem(Code.RENAME_WITHOUT_WAS, at(new), old.name, new.name)
    for old in pairs.withdrawn:
        if withdrawn is not None and old.name not in {gone.name for gone, _ in same}:
            yield Problem(withdrawn, at(old))
    for new in onto_existing(before, after):
        yield Problem(Code.RENAME_ONTO_EXISTING, at(new), new.was, new.name)


# What the facts show.


def _parts(step: Step) -> Iterator[Problem]:
    corrected = {fact.place for fact in step.facts if fact.change is Change.CHANGED and fact.part is None}
    by_place = {(policy.name, policy.version): policy for policy in step.new.policies}
    for fact in step.facts:
        if fact.place in corrected and fact.part is None:
            yield Problem(Code.VERSION_CHANGED, fact.place)
        elif fact.part is Part.DAY:
            yield Problem(Code.DAY_CHANGED, fact.place, fact.before, fact.after)
        elif fact.part is Part.TIMEZONE:
            yield Problem(Code.ZONE_CHANGED, fact.place, fact.before, fact.after)
        elif Place(fact.place.policy, fact.place.version) not in corrected:
            continue
        elif fact.part is Part.METRIC or fact.part in METRIC_PARTS:
            yield Problem(Code.CONDITIONS_CHANGED, fact.place)
        elif fact.part is Part.TARGET and isinstance(fact.before, Duration) and isinstance(fact.after, Duration):
            policy = by_place[fact.place.policy, fact.place.version]
            if fact.before.clock is not fact.after.clock:
                yield Problem(Code.TARGET_CLOCK_CHANGED, fact.place, fact.before, fact.after, fact.when)
            elif _shorter(fact.before, fact.after, step, _calendars(policy, fact.place.commitment)):
                yield Problem(Code.TARGET_SHORTENED, fact.place, fact.before, fact.after, fact.when)


def _calendars(policy: Policy, commitment: str) -> set[str]:
    none: Choice[str] = Choice(())
    own = next((thing.calendar for thing in policy.commitments if thing.name == commitment), None) or none
    return {name for choice in (own, policy.calendar) for _, name in choice.cases}


def _shorter(before: Duration, after: Duration, step: Step, names: set[str]) -> bool:
    calendars = [step.new.calendars[name] for name in names]
    return any(after.resolve(calendar, step.at)[1:] < before.resolve(calendar, step.at)[1:] for calendar in calendars)


def _past(step: Step) -> Iterator[Problem]:
    """Calendars that have other hours on dates before the deployment."""
    for name, changes in groupby(step.days, key=lambda change: change.calendar):
        today = day_of(step.new.calendars[name], step.at)
        past = [change.day for change in changes if change.day < date(1970, 1, 1) + timedelta(days=today)]
        if past:
            yield Problem(Code.PAST_HOURS_CHANGED, Place(calendar=name), str(past[0]), str(past[-1]))


# Which policy comes first.


def _takeovers(step: Step) -> Iterator[Problem]:
    """Policies that now come before others that came before them, and take tickets of theirs that are open."""
    former = {new.name: old.position for old, new in step.policies.kept}
    likely = {new.name for _, new in step.policies.equal(lambda versions: policy_content(versions.latest))}
    ordered = sorted((*(new for _, new in step.policies.kept), *step.policies.added), key=lambda versions: versions.position)
    for index, first in enumerate(ordered):
        scopes = [policy.applies_to for policy in first.by_number.values() if (policy.since or 0) <= step.at]
        taken = tuple(
            second.name
            for second in ordered[index + 1 :]
            if second.name in former
            and former.get(first.name, len(step.old.policies)) > former[second.name]
            and any(possible(All((scope, other.applies_to))) for scope in scopes for other in second.by_number.values())
        )
        if taken and first.name not in likely:
            yield Problem(Code.TAKES_OVER_TICKETS, Place(first.name), after=taken)


# What is known of open tickets.


def _fields(step: Step) -> Iterator[Problem]:
    """Policies that read fields that nothing read before: they were dropped from events, unless the operator keeps them."""
    anew = frozenset([name for name in step.new.fields_read - step.old.fields_read - NAMED if name[0] != "@"])
    if not anew:
        return
    for policy in step.new.policies:
        if found := anew & PolicySet((policy,), step.new.calendars).fields_read:
            yield Problem(Code.FIELDS_NOT_KEPT, Place(policy.name), after=tuple(sorted(found)))
