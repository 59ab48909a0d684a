"""What is promised, as gauges: objectives, targets and the last rung of each ladder, and by which version and program.

Rules and dashboards read them, so that no number of a policy is repeated there.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from stream import __version__
from stream.observe import catalogue as names
from stream.observe.labels import priorities
from stream.observe.spec import gauge
from stream.sla.events import Event
from stream.sla.policy.conditions import compile_condition, fields_read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from prometheus_client import CollectorRegistry

    from stream.sla.policy.policy import Choice, Policy
    from stream.sla.policy.resolve import PolicySet

T = TypeVar("T")

DETECTED_WITHIN: Final = 1.0
"""Seconds from a deadline within which 99 of 100 breaches are to be said."""
_EVENT: Final = Event(at=0, id="", type="ticket.changed", source="")
# Two instants in months of 31 and 28 days: only a target in calendar months comes out different.
_JANUARY: Final = 1_735_732_800_000_000
_FEBRUARY: Final = 1_738_411_200_000_000


class Target(NamedTuple):
    """A target that priority alone settles."""

    policy: str
    commitment: str
    priority: str
    clock: str
    seconds: float


def state_facts(policies: PolicySet, registry: CollectorRegistry) -> None:
    """Export what the newest version of each policy says, and which breachwatch this is."""
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
    for fact in targets(policies):
        target.labels(fact.policy, fact.commitment, fact.priority, fact.clock).set(fact.seconds)
    gauge(names.DELAY_OBJECTIVE, registry).set(DETECTED_WITHIN)
    gauge(names.BUILD, registry).labels(__version__).set(1)


def state_load(files: Sequence[Path], at: float, registry: CollectorRegistry) -> None:
    """Export when the policies were loaded (epoch seconds), and a fingerprint of the bytes of their files, in their order."""
    content = blake2b(digest_size=6)
    for file in files:
        content.update(file.read_bytes())
    gauge(names.POLICIES, registry).labels(content.hexdigest()).set(at)


def newest(policies: PolicySet) -> list[Policy]:
    """The newest version of each policy, in their order."""
    found: dict[str, Policy] = {}
    for policy in policies.policies:
        if policy.name not in found or policy.version > found[policy.name].version:
            found[policy.name] = policy
    return list(found.values())


def targets(policies: PolicySet) -> Iterator[Target]:
    """The targets that can be told as one number on one clock, from the newest version of each policy."""
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
    """The value for a priority, unless it depends on another field as well."""
    for condition, value in choice.cases:
        if not fields_read(condition) <= {"priority"}:
            return None
        if compile_condition(condition)(_EVENT, {"priority": priority}):
            return value
    return None
