"""What the worker did, as Prometheus metrics. The names, labels and meanings are in ``stream.observe.catalogue``.

One ``Metrics`` per worker, called from the worker's event loop after each batch; nothing here waits, or fails on
what a ticket says. Label values outside what the policies name are bounded (``stream.observe.labels``). A little longer than a
file here should be: what each effect counts is one list.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, disable_created_metrics

from stream.observe import catalogue as names
from stream.observe.counts import Counts
from stream.observe.facts import state_facts
from stream.observe.labels import LABEL_SETS, OTHER, Vocabularies, priorities, stages
from stream.observe.open_book import Entry, OpenBook
from stream.observe.open_times import OpenTimes
from stream.observe.spec import counter, gauge, histogram
from stream.observe.watched import Watched
from stream.observe.workings import Workings
from stream.sla.effects import Effect, Kind, Reason
from stream.sla.events import EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from prometheus_client import Counter

    from stream.sla.plan import PolicySet
    from stream.sla.ticket import Standing

Result = Literal["applied", "late", "duplicate", "ignored"]
RESULTS: Final[tuple[Result, ...]] = ("applied", "late", "duplicate", "ignored")
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
_REMEMBERED: Final = 10_000
"""Standings whose labels need not be looked up again. A ticket is told at every change, so this is worth its while."""
_EXEMPLAR: Final = 128 - len("ticket")
"""OpenMetrics allows 128 characters of names and values."""


Tally: TypeAlias = "defaultdict[Counter, int]"
"""What a batch adds to each counter."""


class Metrics:
    """All metrics of one worker, on one registry (``self.registry``; a new one unless given)."""

    def __init__(
        self, policies: PolicySet, registry: CollectorRegistry | None = None, now: Callable[[], int] | None = None
    ) -> None:
        """``now``: what time it is for deadlines, epoch microseconds; without it, the youngest instant the feed has shown."""
        # Process-wide; _created would double the number of series. The client leaves this function untyped.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = registry or CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        events = counter(names.EVENTS, registry)
        rejected = counter(names.REJECTED, registry)
        self._unmatched = counter(names.UNMATCHED, registry)
        self.started = counter(names.STARTED, registry)
        self.decided = counter(names.DECIDED, registry)
        self.retractions = counter(names.RETRACTIONS, registry)
        self.reopened = counter(names.REOPENED, registry)
        self.late_breaches = counter(names.LATE_BREACHES, registry)
        self._warnings = counter(names.WARNINGS, registry)
        self._escalations = counter(names.ESCALATIONS, registry)
        effects = counter(names.EFFECTS, registry)
        self.time = histogram(names.TIME, registry)
        self.used = histogram(names.USED, registry)
        self.paused = histogram(names.PAUSED, registry)
        self._delay = histogram(names.DELAY, registry)
        self._last_event = gauge(names.LAST_EVENT, registry)
        self._partitions_owned = gauge(names.PARTITIONS_OWNED, registry)
        self._partitions_live = gauge(names.PARTITIONS_LIVE, registry)
        self._last_wakeup = gauge(names.LAST_WAKEUP, registry)
        steps = counter(names.CLOCK_STEPS, registry)
        self._ahead, self._back = steps.labels("ahead"), steps.labels("back")
        self.workings: Final = Workings(registry)
        self._feed = 0
        times = OpenTimes(now or (lambda: self._feed))
        self._book = OpenBook(times)
        self.gauges: Final = Watched()
        """What is gathered at a scrape; the runtime adds its own."""
        self.gauges.add("open", self._book)
        self.gauges.add("times", times)
        registry.register(self.gauges)

        self._events = {(kind, result): events.labels(kind, result) for kind in (*EVENT_TYPES, TICK) for result in RESULTS}
        self._rejected = {reason: rejected.labels(reason) for reason in REJECT_REASONS}
        more: dict[Kind, Callable[[Effect, Tally], None]] = {
            Kind.STARTED: self._on_started,
            Kind.MET: self._on_met,
            Kind.MET_LATE: self._on_fulfilled,
            Kind.MEASURED: self._on_fulfilled,
            Kind.BREACHED: self._on_breached,
            Kind.CANCELLED: self._on_cancelled,
            Kind.RESUMED: self._on_resumed,
            Kind.BREACH_RETRACTED: self._on_breach_retracted,
            Kind.RETRACTED: self._on_retracted,
            Kind.WARNED: self._on_warned,
            Kind.RAISED: self._on_raised,
            Kind.RECURRED: self._on_raised,
        }
        self._by_kind = {kind: (effects.labels(kind.value), more.get(kind)) for kind in Kind}
        self._live: dict[int, bool] = {}
        self._counts: dict[tuple[str, ...], Counts] = {}
        self._entries: dict[tuple[str, ...], Entry] = {}
        self._remembered: dict[tuple[str, ...], Counts] = {}
        """By policy, commitment, priority and team as effects say them: what ``_labels`` once answered stays the answer."""
        self._words = Vocabularies(policies)
        self._foresee(policies)
        state_facts(policies, registry)

    def event(self, type: str, result: Result, count: int = 1) -> None:  # noqa: A002 -- the event's own word
        """Count handled events of a type (or ``feed.tick``). KeyError for a type or result that does not exist."""
        self._events[type, result].inc(count)

    def rejected(self, reason: str, count: int = 1) -> None:
        """Count refused records. KeyError for a reason that does not exist."""
        self._rejected[reason].inc(count)

    def unmatched(self, count: int = 1) -> None:
        """Count tickets to which no policy promises anything."""
        self._unmatched.inc(count)

    def effects(self, effects: Iterable[Effect], clock_is_wall: bool) -> None:
        """Count effects that were sent. The detection delay is measured only where the clock is the wall's."""
        # One addition a batch, not one an effect: the client locks at each.
        tally: Tally = defaultdict(int)
        for effect in effects:
            counted, more = self._by_kind[effect.kind]
            tally[counted] += 1
            if more is not None:
                more(effect, tally)
            if clock_is_wall and effect.kind is Kind.BREACHED and not effect.late:
                self._delay.observe((effect.detected_at - effect.at) / 1e6, exemplar=_exemplar(effect))
        for counter_, times in tally.items():
            counter_.inc(times)

    def open(self, ticket: str, standings: Sequence[Standing] | None) -> int:
        """Say how the open commitments of a ticket stand now; ``None`` or none: it has no open ones any more.

        Returns how many more it has than before.

        On giving up a partition, call it with ``None`` for each of its tickets.
        """
        return self._book.set(ticket, tuple([(self._entry(one), one.due_at, one.began) for one in standings or ()]))

    def partition(self, partition: int, watermark: int | None = None, live: bool | None = None) -> None:
        """A partition this worker owns: its youngest event time (epoch microseconds), whether it has caught up.

        ``None`` leaves what was said before; a partition named for the first time has not caught up.
        """
        if live is not None or partition not in self._live:
            self._live[partition] = bool(live)
            self._count_partitions()
        if watermark is not None:
            self._last_event.labels(str(partition)).set(watermark / 1e6)
            self._feed = max(self._feed, watermark)

    def partition_given_up(self, partition: int) -> None:
        """Forget a partition. Its tickets are forgotten one by one (``open``)."""
        if self._live.pop(partition, None) is not None:
            self._count_partitions()
            self._last_event.remove_by_labels({"partition": str(partition)})

    def woke(self, at: int) -> None:
        """Deadlines were looked at, whether or not one had passed: the wall clock, epoch microseconds."""
        self._last_wakeup.set(at / 1e6)

    def clock_stepped(self, step: int) -> None:
        """The machine's clock was set by so many microseconds, ahead or back."""
        (self._ahead if step > 0 else self._back).inc()

    def _entry(self, standing: Standing) -> Entry:
        said = (standing.policy, standing.commitment, standing.priority, standing.team, standing.state)
        entry = self._entries.get(said)
        if entry is None:
            labels = self._labels(*said[:4])
            self._known(labels)
            entry = self._book.entry(labels, standing.state)
            if len(self._entries) < _REMEMBERED:
                self._entries[said] = entry
        return entry

    def _on_started(self, effect: Effect, tally: Tally) -> None:
        tally[self._of(effect).started] += 1

    def _on_met(self, effect: Effect, tally: Tally) -> None:
        tally[self._of(effect).met] += 1
        self._on_fulfilled(effect, tally)

    def _on_fulfilled(self, effect: Effect, _tally: Tally) -> None:
        counts = self._of(effect)
        counts.time.observe(effect.elapsed / 1e6)
        counts.paused.observe(effect.paused / 1e6)
        if effect.target:
            counts.used.observe(effect.elapsed / effect.target)

    def _on_breached(self, effect: Effect, tally: Tally) -> None:
        counts = self._of(effect)
        counts.breached.inc(exemplar=_exemplar(effect))
        if effect.late:
            tally[counts.late_breaches] += 1

    def _on_cancelled(self, effect: Effect, tally: Tally) -> None:
        tally[self._of(effect).cancelled] += 1

    def _on_resumed(self, effect: Effect, tally: Tally) -> None:
        if _reopens_met(effect, effect.reason):
            tally[self._of(effect).reopened] += 1

    def _on_breach_retracted(self, effect: Effect, tally: Tally) -> None:
        tally[self._of(effect).breaches_retracted] += 1

    def _on_retracted(self, effect: Effect, tally: Tally) -> None:
        counts = self._of(effect)
        if effect.retracts_kind is Kind.MET:
            tally[counts.met_retracted] += 1
        elif effect.retracts_kind is Kind.RESUMED and _reopens_met(effect, effect.retracts_reason):
            tally[counts.reopenings_retracted] += 1
        else:
            tally[counts.others_retracted] += 1

    def _on_warned(self, effect: Effect, tally: Tally) -> None:
        words = self._words
        stage = words.stage.label(effect.level)
        policy, commitment = words.policy.label(effect.policy), words.commitment.label(effect.commitment)
        tally[self._warnings.labels(policy, commitment, stage)] += 1

    def _on_raised(self, effect: Effect, tally: Tally) -> None:
        words = self._words
        ladder, level = words.ladder.label(effect.ladder), words.level.label(effect.level)
        tally[self._escalations.labels(words.policy.label(effect.policy), ladder, level, effect.reason.value)] += 1

    def _of(self, effect: Effect) -> Counts:
        priority, team = effect.fields.get("priority", ""), effect.fields.get("team", "")
        if not isinstance(priority, str):
            priority = OTHER
        if not isinstance(team, str):
            team = OTHER
        said = (effect.policy, effect.commitment, priority, team)
        counts = self._remembered.get(said)
        if counts is None:
            counts = self._known(self._labels(*said))
            if len(self._remembered) < _REMEMBERED:
                self._remembered[said] = counts
        return counts

    def _labels(self, policy: str, commitment: str, priority: str, team: str) -> tuple[str, ...]:
        labels = (
            self._words.policy.label(policy),
            self._words.commitment.label(commitment),
            self._words.priority.label(priority),
            self._words.team.label(team),
        )
        if labels not in self._counts and len(self._counts) >= LABEL_SETS:
            return (*labels[:2], OTHER, OTHER)
        return labels

    def _known(self, labels: tuple[str, ...]) -> Counts:
        counts = self._counts.get(labels)
        if counts is None:
            # A counter born at 1 shows no increase: all of a label set begin at 0, long before the first verdict.
            counts = self._counts[labels] = Counts(self, labels)
            self._book.foresee(labels)
        return counts

    def _foresee(self, policies: PolicySet) -> None:
        """Set up, at 0, every series that the policies let us foresee."""
        for policy in policies.policies:
            for commitment in policy.commitments:
                for priority in priorities(policy):
                    self._known(self._labels(policy.name, commitment.name, priority, ""))
                for stage in stages(commitment):
                    self._warnings.labels(policy.name, commitment.name, stage)
            for ladder in policy.ladders:
                for level, reason in product(ladder.levels, _RAISING):
                    self._escalations.labels(policy.name, ladder.name, level.name, reason.value)

    def _count_partitions(self) -> None:
        self._partitions_owned.set(len(self._live))
        self._partitions_live.set(sum(self._live.values()))


def _reopens_met(effect: Effect, reason: Reason | None) -> bool:
    """Whether a resumption undoes a verdict: without a target there was none, only a measurement."""
    return reason is Reason.REOPENED and effect.target is not None


def _exemplar(effect: Effect) -> dict[str, str]:
    return {"ticket": effect.ticket[:_EXEMPLAR]}
