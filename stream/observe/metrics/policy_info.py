"""Gauges with the contents of the policies: objectives, targets, the last level of each ladder, and versions.

Rules and dashboards read them instead of repeating the numbers of a policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from stream import __version__
from stream.deployments.snapshot import fingerprint
from stream.language.releases import data_releases
from stream.observe.metrics import catalogue as names
from stream.observe.metrics.families import gauge
from stream.observe.metrics.labels import priorities
from stream.sla.policy.conditions import fields_read, holds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry

    from stream.sla.policy.policy import Choice, Policy
    from stream.sla.policy.resolve import PolicySet

T = TypeVar("T")

DETECTION_OBJECTIVE: Final = 1.0
"""Seconds after the deadline within which 99 of 100 breaches should be detected."""
# Two instants in months of 31 and 28 days: only a target in calendar months differs between them.
_JANUARY: Final = 1_735_732_800_000_000
_FEBRUARY: Final = 1_738_411_200_000_000


class Target(NamedTuple):
    """A target that depends on nothing but the priority."""

    policy: str
    commitment: str
    priority: str
    clock: str
    seconds: float


def export_policy_info(policies: PolicySet, registry: CollectorRegistry) -> None:
    """Export the newest version of each policy, the version of breachwatch and the releases of its data."""
    objective, top_level = gauge(names.OBJECTIVE, registry), gauge(names.TOP_LEVEL, registry)
    info = gauge(names.POLICY_INFO, registry)
    for policy in newest(policies):
        info.labels(policy.name, str(policy.version)).set(1)
        for commitment in policy.commitments:
            if commitment.objective is not None:
                objective.labels(policy.name, commitment.name).set(commitment.objective)
        for ladder in policy.ladders:
            if ladder.levels:
                top_level.labels(policy.name, ladder.name, ladder.levels[-1].name).set(1)
    target = gauge(names.TARGET, registry)
    for each in targets(policies):
        target.labels(each.policy, each.commitment, each.priority, each.clock).set(each.seconds)
    gauge(names.DELAY_OBJECTIVE, registry).set(DETECTION_OBJECTIVE)
    gauge(names.BUILD, registry).labels(version=__version__, **data_releases()).set(1)


def export_policies_loaded(policies: PolicySet, at: float, registry: CollectorRegistry) -> None:
    """Export when the policies were loaded (epoch seconds), with their fingerprint."""
    gauge(names.POLICIES, registry).labels(fingerprint(policies)).set(at)


def newest(policies: PolicySet) -> list[Policy]:
    """Return the newest version of each policy, in order of appearance."""
    found: dict[str, Policy] = {}
    for policy in policies.policies:
        if policy.name not in found or policy.version > found[policy.name].version:
            found[policy.name] = policy
    return list(found.values())


def targets(policies: PolicySet) -> Iterator[Target]:
    """Yield the targets of the newest version of each policy that are one number on one clock."""
    for policy in newest(policies):
        for commitment in policy.commitments:
            for priority in priorities(policy):
                target = _settled(commitment.target, priority)
                calendar = _settled(commitment.calendar or policy.calendar, priority)
                if target is None or calendar is None:
                    continue
                amount = target.resolve(policies.calendars[calendar], _JANUARY)
                if amount == target.resolve(policies.calendars[calendar], _FEBRUARY):
                    yield Target(policy.name, commitment.name, priority, amount.clock, amount.micros / 1e6)


def _settled(choice: Choice[T], priority: str) -> T | None:
    """Return the value for a priority, unless it depends on another field as well."""
    for condition, value in choice.cases:
        if not fields_read(condition) <= {"priority"}:
            return None
        if holds(condition, {"priority": priority}):
            return value
    return None
