"""What the worker did, as Prometheus metrics. The names, labels and meanings are in ``stream.observe.catalogue``.

One ``Metrics`` per worker, called from the worker's event loop after each batch; nothing here waits, or fails on
what a ticket says. Label values outside what the policies name are bounded (``stream.observe.labels``).
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final, Literal

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, disable_created_metrics

from stream.observe import catalogue as names
from stream.observe.counts import LabelSets
from stream.observe.facts import state_facts
from stream.observe.labels import Vocabularies, priorities, stages
from stream.observe.open_books import OpenBooks
from stream.observe.open_times import OpenTimes
from stream.observe.spec import counter, gauge
from stream.observe.tally import Tally
from stream.observe.watched import Watched
from stream.observe.workings import Workings
from stream.sla.effects import Reason
from stream.sla.events import EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Gauge

    from stream.sla.policy.resolve import PolicySet

Result = Literal["applied", "late", "duplicate"]
RESULTS: Final[tuple[Result, ...]] = ("applied", "late", "duplicate")
REJECT_REASONS: Final = ("undecodable", "too_large", "invalid", "key_mismatch", "future", "too_late")
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
        self, policies: PolicySet, registry: CollectorRegistry | None = None, now: Callable[[], int] | None = None
    ) -> None:
        """``now``: what time it is for deadlines, epoch microseconds; without it, the youngest instant the feed has shown."""
        # Process-wide; _created would double the number of series. The client leaves this function untyped.
        disable_created_metrics()
        self.registry = registry = registry or CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        events = counter(names.EVENTS, registry)
        rejected = counter(names.REJECTED, registry)
        self._unmatched = counter(names.UNMATCHED, registry).labels()
        words = Vocabularies(policies)
        sets = LabelSets(words, registry)
        tally = Tally(sets, words, registry)
        self.effects: Final = tally.add
        self._last_event = gauge(names.LAST_EVENT, registry)
        self._partitions_owned = gauge(names.PARTITIONS_OWNED, registry)
        self._partitions_live = gauge(names.PARTITIONS_LIVE, registry)
        self._last_wakeup = gauge(names.LAST_WAKEUP, registry)
        steps = counter(names.CLOCK_STEPS, registry)
        self._ahead, self._back = steps.labels("ahead"), steps.labels("back")
        self.workings: Final = Workings(registry)
        self._feed = 0
        self.books: Final = OpenBooks(sets)
        """What is open, a book for each partition: begun when the partition is taken over."""
        self.gauges: Final = Watched()
        """What is gathered at a scrape; the runtime adds its own."""
        self.gauges.add("open", self.books)
        self.gauges.add("times", OpenTimes(sets, self.books, now or (lambda: self._feed)))
        registry.register(self.gauges)

        self._events = {(kind, result): events.labels(kind, result) for kind in (*EVENT_TYPES, TICK) for result in RESULTS}
        self._rejected = {reason: rejected.labels(reason) for reason in REJECT_REASONS}
        self._live: dict[int, bool] = {}
        self._last_events: dict[int, Gauge] = {}
        _foresee(policies, sets, tally)
        state_facts(policies, registry)

    def event(self, type: str, result: Result, count: int = 1) -> None:  # noqa: A002 -- the event's own word
        """Count handled events of a type (or ``feed.tick``). KeyError for a type or result that does not exist."""
        self._events[type, result].value += count

    def rejected(self, reason: str, count: int = 1) -> None:
        """Count refused records. KeyError for a reason that does not exist."""
        self._rejected[reason].value += count

    def unmatched(self, count: int = 1) -> None:
        """Count tickets to which no policy promises anything."""
        self._unmatched.value += count

    def partition(self, partition: int, watermark: int | None = None, live: bool | None = None) -> None:
        """A partition this worker owns: its youngest event time (epoch microseconds), whether it has caught up.

        ``None`` leaves what was said before; a partition named for the first time has not caught up.
        """
        if live is not None or partition not in self._live:
            self._live[partition] = bool(live)
            self._count_partitions()
        if watermark is not None:
            shown = self._last_events.get(partition)
            if shown is None:
                shown = self._last_events[partition] = self._last_event.labels(str(partition))
            shown.set(watermark / 1e6)
            self._feed = max(self._feed, watermark)

    def partition_given_up(self, partition: int) -> None:
        """Forget a partition, with all that is open in it."""
        self.books.drop(partition)
        if self._live.pop(partition, None) is not None:
            self._count_partitions()
        if self._last_events.pop(partition, None) is not None:
            self._last_event.remove(str(partition))

    def woke(self, at: int) -> None:
        """Deadlines were looked at, whether or not one had passed: the wall clock, epoch microseconds."""
        self._last_wakeup.set(at / 1e6)

    def clock_stepped(self, step: int) -> None:
        """The machine's clock was set by so many microseconds, ahead or back."""
        (self._ahead if step > 0 else self._back).value += 1

    def _count_partitions(self) -> None:
        self._partitions_owned.set(len(self._live))
        self._partitions_live.set(sum(self._live.values()))


def _foresee(policies: PolicySet, sets: LabelSets, tally: Tally) -> None:
    """Set up, at 0, every series that the policies let us foresee."""
    for policy in policies.policies:
        for commitment in policy.commitments:
            for priority in priorities(policy):
                sets.find(policy.name, commitment.name, priority, "")
            for stage in stages(commitment):
                tally.warnings.labels(policy.name, commitment.name, stage)
        for ladder in policy.ladders:
            for level, reason in product(ladder.levels, _RAISING):
                tally.escalations.labels(policy.name, ladder.name, level.name, reason.value)
