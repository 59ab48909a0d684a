"""All Prometheus metrics of a worker. ``stream.observe.metrics.catalogue`` has their names, labels and meanings.

The event loop updates them after each batch. No update waits, and no content of a ticket makes one fail: label values that the
policies do not name are bounded (``stream.observe.metrics.labels``).
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final, Literal

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, disable_created_metrics

from stream.observe.metrics import catalogue as names
from stream.observe.metrics.commitment_metrics import CommitmentMetrics
from stream.observe.metrics.effect_metrics import EffectMetrics
from stream.observe.metrics.families import counter, gauge
from stream.observe.metrics.instrumented import InstrumentedCollectors
from stream.observe.metrics.labels import BoundedLabels, LabelBounds, priorities, stages
from stream.observe.metrics.open_commitments import OpenCommitments
from stream.observe.metrics.open_times import OpenTimes
from stream.observe.metrics.policy_info import PolicyInfo
from stream.observe.metrics.worker_metrics import WorkerMetrics
from stream.sla.effects import Reason
from stream.sla.events import ERASURE, EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Gauge

    from stream.sla.policy.resolve import PolicySet

Result = Literal["applied", "late", "duplicate", "erased"]
RESULTS: Final[tuple[Result, ...]] = ("applied", "late", "duplicate", "erased")
UnmatchedCause = Literal["spelling", "other"]
UNMATCHED_CAUSES: Final[tuple[UnmatchedCause, ...]] = ("spelling", "other")
REJECT_REASONS: Final = ("undecodable", "too_large", "invalid", "key_mismatch", "future", "too_late", "conflict")
TICK: Final = "feed.tick"

_RAISING: Final = (
    Reason.SHARE_USED,
    Reason.TIME_USED,
    Reason.TIME_LEFT,
    Reason.AFTER_DEADLINE,
    Reason.NOT_ACKNOWLEDGED,
    Reason.REQUESTED,
    Reason.RECURRENCE,
)


class Metrics:
    """All metrics of one worker, on one registry (``self.registry``; a new one unless given)."""

    def __init__(
        self,
        policies: PolicySet,
        registry: CollectorRegistry | None = None,
        now: Callable[[], int] | None = None,
        app_id: str = "",
        bounds: LabelBounds = LabelBounds(),  # noqa: B008  it cannot change
    ) -> None:
        """``now``: the detector's current time, epoch microseconds; by default the latest event time of the input. ``app_id``:
        the name that the installation has on its cluster."""
        # For the whole process: `_created` would double the number of series. The client does not annotate this function.
        disable_created_metrics()
        self.registry = registry = registry or CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        events = counter(names.EVENTS, registry)
        rejected = counter(names.REJECTED, registry)
        unmatched = counter(names.UNMATCHED, registry)
        self._unmatched = {cause: unmatched.labels(cause) for cause in UNMATCHED_CAUSES}
        self._unbuilt = counter(names.UNBUILT, registry).labels()
        self._cut = counter(names.CUT, registry).labels()
        self._lost = counter(names.INPUT_LOST, registry).labels()
        self._labels: Final = BoundedLabels(policies, bounds)
        self._commitments: Final = CommitmentMetrics(self._labels, registry)
        self._effects: Final = EffectMetrics(self._commitments, self._labels, registry)
        self.effects: Final = self._effects.add
        self._last_event = gauge(names.LAST_EVENT, registry)
        self._partitions_owned = gauge(names.PARTITIONS_OWNED, registry)
        self._partitions_live = gauge(names.PARTITIONS_LIVE, registry)
        self._last_wakeup = gauge(names.LAST_WAKEUP, registry)
        steps = counter(names.CLOCK_STEPS, registry)
        self._ahead, self._back = steps.labels("ahead"), steps.labels("back")
        self.worker: Final = WorkerMetrics(registry)
        self._watermark = 0
        self.open_commitments: Final = OpenCommitments(self._commitments)
        """The counts of each partition, begun when the worker takes the partition over."""
        self.collectors: Final = InstrumentedCollectors()
        """Collectors that run at each scrape; the runtime adds its own."""
        self.collectors.add("open", self.open_commitments)
        times = OpenTimes(self._commitments, self.open_commitments, now or (lambda: self._watermark))
        self.collectors.add("times", times)
        registry.register(self.collectors)

        self._events = {
            (kind, result): events.labels(kind, result) for kind in (*EVENT_TYPES, ERASURE, TICK) for result in RESULTS
        }
        self._rejected = {reason: rejected.labels(reason) for reason in REJECT_REASONS}
        self._live: dict[int, bool] = {}
        self._last_events: dict[int, Gauge] = {}
        self._policy_info: Final = PolicyInfo(policies, app_id)
        registry.register(self._policy_info)
        _initialise(policies, self._commitments, self._effects)

    def deployed(self, policies: PolicySet, fingerprint: str, at: float) -> None:
        """Take up the newest set of policies. Series of names that it leaves out stay.

        ``fingerprint``: of the set as deployed. ``at``: when it became known, epoch seconds.
        """
        self._labels.learn(policies)
        _initialise(policies, self._commitments, self._effects)
        self._policy_info.show(policies, fingerprint, at)

    def event(self, type: str, result: Result, count: int = 1) -> None:  # noqa: A002 -- the event's own word
        """Count handled events of a type (or ``feed.tick``). KeyError for a type or result that does not exist."""
        self._events[type, result].value += count

    def rejected(self, reason: str, count: int = 1) -> None:
        """Count refused records. KeyError for a reason that does not exist."""
        self._rejected[reason].value += count

    def unmatched(self, cause: UnmatchedCause, count: int = 1) -> None:
        """Count tickets that no policy applies to."""
        self._unmatched[cause].value += count

    def rejudged(self, unbuilt: int, cut: int) -> None:
        """Count what deployments could not do because the history of a ticket is cut: rows to build, tickets to rejudge."""
        self._unbuilt.value += unbuilt
        self._cut.value += cut

    def input_lost(self, count: int) -> None:
        """Count records of the input that were gone before they were read."""
        self._lost.value += count

    def partition(self, partition: int, watermark: int | None = None, live: bool | None = None) -> None:
        """Update a partition that this worker owns: its latest event time (epoch microseconds), and whether it has caught up.

        ``None`` keeps the earlier value. A partition named for the first time has not caught up.
        """
        if live is not None or partition not in self._live:
            self._live[partition] = bool(live)
            self._count_partitions()
        if watermark is not None:
            gauge = self._last_events.get(partition)
            if gauge is None:
                gauge = self._last_events[partition] = self._last_event.labels(str(partition))
            gauge.set(watermark / 1e6)
            self._watermark = max(self._watermark, watermark)

    def partition_revoked(self, partition: int) -> None:
        """Drop a partition that this worker no longer owns, with its open commitments."""
        self.open_commitments.drop(partition)
        if self._live.pop(partition, None) is not None:
            self._count_partitions()
        if self._last_events.pop(partition, None) is not None:
            self._last_event.remove(str(partition))

    def woke(self, at: int) -> None:
        """Record a check of the timers, whether or not one was due: the wall clock, epoch microseconds."""
        self._last_wakeup.set(at / 1e6)

    def clock_stepped(self, step: int) -> None:
        """Count an adjustment of the machine's clock by so many microseconds, ahead or back."""
        (self._ahead if step > 0 else self._back).value += 1

    def _count_partitions(self) -> None:
        self._partitions_owned.set(len(self._live))
        self._partitions_live.set(sum(self._live.values()))


def _initialise(policies: PolicySet, commitments: CommitmentMetrics, effects: EffectMetrics) -> None:
    """Create, at 0, every series that follows from the policies alone."""
    for policy in policies.policies:
        for commitment in policy.commitments:
            for priority in priorities(policy):
                commitments.find(policy.name, commitment.name, priority, "", "")
            for stage in stages(commitment):
                effects.warnings.labels(policy.name, commitment.name, stage)
        for ladder in policy.ladders:
            for level, reason in product(ladder.levels, _RAISING):
                effects.escalations.labels(policy.name, ladder.name, level.name, reason.value)
                effects.late_escalations.labels(policy.name, ladder.name, level.name)
                effects.provisional_escalations.labels(policy.name, ladder.name, level.name)
