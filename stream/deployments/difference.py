"""The difference between two sets of policies and calendars, as a plan for the step from the one to the other.

1. Policies are paired by name, or by the former name that they state (``was``).
2. The versions of a pair are compared by number. A version that is new is compared with the one before it; a version that is
   not in the new files keeps its range, because the versions of a policy are the union over all deployments.
3. Calendars are paired by name and compared date by date, because their rules may differ and give the same hours.
4. The problems of the step follow from the two sets, their pairs and the facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.deployments.calendar_changes import calendar_facts, changed_days
from stream.deployments.facts import Change, Difference, Fact, Part, Place
from stream.deployments.pairing import Pairs, pair
from stream.deployments.problems import Step, problems_of
from stream.deployments.version_changes import version_changes
from stream.deployments.versions import Versions, base_of, versions_of

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet

WINDOW_DAYS: Final = 731
"""Two years: the dates of calendars that are compared."""


def difference(old: PolicySet, new: PolicySet, at: int, days: int = WINDOW_DAYS) -> Difference:
    """The difference between ``old`` and ``new``, if ``new`` is deployed at the instant ``at`` (epoch microseconds).

    Dates of calendars are compared for this number of days from that of the instant on, and for ``PAST_DAYS`` before it.
    """
    policies = pair(versions_of(old.policies), versions_of(new.policies))
    facts = [*_order(policies), *_policy_facts(policies), *calendar_facts(old.calendars, new.calendars)]
    dates = tuple(changed_days(old.calendars, new.calendars, at, days))
    problems = problems_of(Step(old, new, at, policies, tuple(facts), dates))
    return Difference(at, tuple(facts), dates, tuple(problems))


def _order(policies: Pairs[Versions]) -> list[Fact]:
    """The order of the policies that stay."""
    before = tuple(new.name for _, new in sorted(policies.kept, key=lambda kept: kept[0].position))
    after = tuple(new.name for _, new in policies.kept)
    return [Fact(Change.CHANGED, Place(), Part.ORDER, before, after)] if before != after else []


def _policy_facts(policies: Pairs[Versions]) -> list[Fact]:
    facts: list[Fact] = []
    for old, new in policies.kept:
        if old.name != new.name:
            facts.append(Fact(Change.RENAMED, Place(new.name), before=old.name, after=new.name))
        facts += _version_facts(old, new)
    for added in policies.added:
        facts.append(Fact(Change.ADDED, Place(added.name)))
        facts += [
            Fact(Change.ADDED, Place(added.name, number), after=policy.since) for number, policy in added.by_number.items()
        ]
    return facts + [Fact(Change.WITHDRAWN, Place(policy.name)) for policy in policies.withdrawn]


def _version_facts(old: Versions, new: Versions) -> list[Fact]:
    facts: list[Fact] = []
    for number, policy in new.by_number.items():
        place = Place(new.name, number)
        if number in old.by_number:
            changes = version_changes(old.by_number[number], policy)
            facts += [Fact(Change.CHANGED, place), *changes] if changes else []
            continue
        base = base_of(number, old, new)
        facts.append(Fact(Change.ADDED, place, before=base.version if base is not None else None, after=policy.since))
        facts += version_changes(base, policy) if base is not None else []
    return facts + [Fact(Change.DROPPED, Place(new.name, number)) for number in old.by_number if number not in new.by_number]
