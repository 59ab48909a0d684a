"""Gauges with the contents of the newest policies: objectives, targets, the last level of each ladder, and versions.

Rules and dashboards read them instead of repeating the numbers of a policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stream import __version__
from stream.compiled import is_compiled
from stream.language.releases import data_releases
from stream.observe.metrics import catalogue as names
from stream.observe.metrics.labels import priorities
from stream.sla.policy.conditions import fields_read, holds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from stream.observe.metrics.families import Spec
    from stream.sla.policy.policy import Choice, Policy
    from stream.sla.policy.resolve import PolicySet

T = TypeVar("T")

DETECTION_OBJECTIVE: Final = 1.0
"""Seconds after the deadline within which 99 of 100 breaches should be detected."""
_GAUGES: Final = (
    names.OBJECTIVE,
    names.TOP_LEVEL,
    names.POLICY_INFO,
    names.TARGET,
    names.POLICIES,
    names.DELAY_OBJECTIVE,
    names.BUILD,
)
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


class PolicyInfo(Collector):
    """The gauges. A scrape sees one set of policies, and never a mixture of two."""

    def __init__(self, policies: PolicySet, app_id: str = "") -> None:
        """``app_id``: the name that the installation has on its cluster."""
        self._app_id: Final = app_id
        self._families = _families(policies, None, app_id)

    def show(self, policies: PolicySet, fingerprint: str, since: float) -> None:
        """Show these policies from now on. ``since``: when they became known, epoch seconds."""
        self._families = _families(policies, (fingerprint, since), self._app_id)

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges. Runs in the thread that serves the scrape."""
        yield from self._families

    def describe(self) -> Iterator[Metric]:
        """Yield the names without samples, so that the registry detects a second registration."""
        yield from map(_gauge, _GAUGES)


def _families(policies: PolicySet, known: tuple[str, float] | None, app_id: str) -> list[GaugeMetricFamily]:
    found = {spec: _gauge(spec) for spec in _GAUGES}
    for policy in newest(policies):
        found[names.POLICY_INFO].add_metric((policy.name, str(policy.version)), 1)
        for commitment in policy.commitments:
            if commitment.objective is not None:
                found[names.OBJECTIVE].add_metric((policy.name, commitment.name), commitment.objective)
        for ladder in policy.ladders:
            if ladder.levels:
                found[names.TOP_LEVEL].add_metric((policy.name, ladder.name, ladder.levels[-1].name), 1)
    for each in targets(policies):
        found[names.TARGET].add_metric((each.policy, each.commitment, each.priority, each.clock), each.seconds)
    if known is not None:
        found[names.POLICIES].add_metric((known[0],), known[1])
    found[names.DELAY_OBJECTIVE].add_metric((), DETECTION_OBJECTIVE)
    about = {"version": __version__, "app_id": app_id, **data_releases()}
    about["hot_path"] = "compiled" if is_compiled() else "interpreted"
    found[names.BUILD].add_metric([about[label] for label in names.BUILD.labels], 1)
    return list(found.values())


def _gauge(spec: Spec) -> GaugeMetricFamily:
    return GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)


def newest(policies: PolicySet) -> list[Policy]:
    """Return the newest version of each policy, in order of appearance."""
    found: dict[str, Policy] = {}
    for policy in policies.policies:
        if policy.name not in found or policy.version > found[policy.name].version:
            found[policy.name] = policy
    return list(found.values())


def targets(policies: PolicySet) -> Iterator[Target]:
    """Yield the targets of the newest version of each policy that are one number on one clock: no months, no delays."""
    for policy in newest(policies):
        for commitment in policy.commitments:
            for priority in priorities(policy):
                target = _settled(commitment.target, priority)
                calendar = _settled(commitment.calendar or policy.calendar, priority)
                if target is None or calendar is None or target.delay is not None:
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
