"""Four weeks of the demo's desk, as the OpenMetrics text that Prometheus would have scraped from two workers.

The desk's events pass through the engine and into the metrics of a worker, in simulated time: four weeks take seconds. What a
run in simulated time cannot measure is drawn around what docs/internals/benchmarks.md measures: how long a unit of work takes,
how late a breach is detected, CPU and memory.

Longer than 250 lines because the feed and its samples share the simulated clock.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final
from zlib import crc32

import msgspec
from neighbours import SOURCE, Neighbours
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from stream.demo.feed import tickets_by_chance
from stream.demo.written_tickets import HOUR, MINUTE, ZONE, FeedRecord
from stream.deployments.snapshot import fingerprint
from stream.observe.metrics.catalogue import (
    DEPLOYMENT_NEWEST,
    DEPLOYMENT_SWEPT,
    FEED_COMPLETE,
    FEED_LAG_LIMIT,
    FEED_RECEIVED,
    FEED_STATE,
    FEED_WAITING,
    FILES_DIFFER,
    LAG,
    SWEEP_LEFT,
    TICKETS,
    UNSENT,
    WAITING,
)
from stream.observe.metrics.labels import LabelBounds
from stream.observe.metrics.registry import Metrics
from stream.runtime.timers import TimerQueue
from stream.sla.effects import Kind
from stream.sla.feed_state import FeedState
from stream.sla.step import Outcome
from stream.wire.decode import Rejected, Tick, decode
from stream.wire.effect import encode_event, encode_tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from stream.observe.metrics.registry import Result
    from stream.sla.calendar.calendar import Calendar
    from stream.sla.effects import Effect
    from stream.sla.engine import Engine
    from stream.sla.events import Event
    from stream.sla.step import Step
    from stream.sla.ticket.state import State

DAY: Final = 24 * HOUR
START: Final = int(datetime(2026, 1, 5, tzinfo=ZONE).timestamp()) * 1_000_000
"""A Monday; Republic Day, a holiday in India, is three weeks later."""
END: Final = START + 26 * DAY
SAMPLED_FROM: Final = START + 10 * DAY
"""By then the desk has its usual work. From here on the metrics are written, and so they are for more than two weeks."""
SAMPLED_EVERY: Final = 15 * MINUTE
PARTITIONS: Final = 4
WORKERS: Final = ("worker-1:9300", "worker-2:9300")
CUSTOMERS: Final = frozenset({"acme"})
"""Those that the metrics name. The desk has more, but each adds gigabytes of samples."""
_TICKETS_A_DAY: Final = 180
_TICKETS_ON_A_FREE_DAY: Final = 20
_SLOW: Final = 0.09
"""How many of the slow answers that the demo would give happen here."""
_BAD_DAYS: Final = range(START + 23 * DAY, START + 24 * DAY)
"""In which they all do: a part of the desk is away after the holiday."""
_CATEGORIES: Final = {"p1": "high", "p2": "medium", "p3": "low", "p4": "inquiry"}
_PARTNER_HOURS: Final = {"p1": 2, "p2": 4, "p3": 8, "p4": 8}
"""Business hours until the first answer to a partner."""
_RESULTS: Final[dict[Outcome, Result]] = {
    Outcome.APPLIED: "applied",
    Outcome.LATE: "late",
    Outcome.DUPLICATE: "duplicate",
    Outcome.ERASED: "erased",
}
_MEMORY: Final = 75e6
_MEMORY_A_TICKET: Final = 1_099
_CPU_IDLE: Final = 0.016
_CPU_AN_EVENT: Final = 91e-6


def feed(hours: Calendar, partner_hours: Calendar, seed: int = 26) -> list[FeedRecord]:
    """Every record in the order of publishing: some come late, some twice, a few are broken.

    ``hours``: the desk's. ``partner_hours``: those in which partners are served.
    """
    chance = Random(seed)  # noqa: S311  the same desk every time, on purpose
    records = []
    for ticket, events in tickets_by_chance(chance, hours, START, END, _TICKETS_A_DAY, _TICKETS_ON_A_FREE_DAY):
        if chance.random() < 0.3:
            events[0] = _of_a_partner(events[0])
            slow = _takes_longer(events, partner_hours, _PARTNER_HOURS[str(events[0].fields["priority"])] * HOUR)
        elif events[0].fields["channel"] in ("chat", "phone"):
            slow = _takes_longer(events, None, 29 * MINUTE)
        else:
            slow = _takes_longer(events, hours, 8 * HOUR)
        if slow and events[0].at not in _BAD_DAYS and chance.random() > _SLOW:
            continue
        for event in events:
            late = int(chance.uniform(0.2, 9) * HOUR) if event.actor == "agent" and chance.random() < 0.03 else 0
            records.append(FeedRecord(event.at + late, ticket.encode(), encode_event(ticket, event)))
    records += [record._replace(at=record.at + 5 * MINUTE) for record in chance.sample(records, len(records) // 80)]
    records += [
        FeedRecord(record.at, record.key, chance.choice((b"<html>502 Bad Gateway</html>", b"{}", record.value[:-9])))
        for record in chance.sample(records, len(records) // 600)
    ]
    records += [FeedRecord(at, b"", encode_tick("desk", at), everywhere=True) for at in range(START, END, 5 * MINUTE)]
    return sorted((record for record in records if record.at < END), key=lambda record: (record.at, record.everywhere))


def _takes_longer(events: list[Event], hours: Calendar | None, limit: int) -> bool:
    """Whether the first answer takes longer than so many microseconds of these hours, or of wall time."""
    answered = next((event.at for event in events if event.type == "comment.added" and event.actor == "agent"), None)
    if answered is None:
        return False
    return (answered - events[0].at if hours is None else hours.measure(events[0].at, answered)) > limit


def _of_a_partner(created: Event) -> Event:
    """The same ticket under the other policy, which reads a category and pauses while a partner is asked something."""
    priority = str(created.fields["priority"])
    fields = {**created.fields, "contract": "botpenguin-partner", "category": _CATEGORIES[priority]}
    return created.replace(fields=fields)


def samples(engine: Engine, records: list[FeedRecord]) -> Iterator[str]:
    """The text of one scrape after the other, in order of time."""
    neighbours = Neighbours()
    workers = [_Worker(name, number, engine, neighbours) for number, name in enumerate(WORKERS)]
    scraped = START
    for record in records:
        while record.at >= scraped + SAMPLED_EVERY:
            scraped += SAMPLED_EVERY
            for worker in workers:
                worker.tick(scraped)
                if scraped >= SAMPLED_FROM:
                    yield worker.text(scraped)
            if scraped >= SAMPLED_FROM:
                neighbours.scraped()
                for job, registry in neighbours.registries.items():
                    labels = f'job="{job}",instance="{job}:9300"'
                    yield _text(_ours(registry), scraped, partial(_written, labels))
        for worker in workers:
            worker.take(record)
    yield "# EOF\n"


class _Worker(Collector):
    """A worker without a broker: its partitions, its metrics, and what only a running process could measure."""

    def __init__(self, name: str, number: int, engine: Engine, neighbours: Neighbours) -> None:
        self._labels: Final = f'job="breachwatch",instance="{name}"'
        self._partitions: Final = range(number, PARTITIONS, len(WORKERS))
        self._chance: Final = Random(number)  # noqa: S311  the same picture every time, on purpose
        self._engine: Final = engine
        self._states: Final[dict[int, dict[bytes, State]]] = {partition: {} for partition in self._partitions}
        self._timers: Final = {partition: TimerQueue() for partition in self._partitions}
        self._watermarks: Final = dict.fromkeys(self._partitions, START)
        self._now = START
        self._events = 0
        self._neighbours: Final = neighbours
        self._received = START
        self._metrics: Final = Metrics(engine.policies, now=lambda: self._now, bounds=LabelBounds(customers=CUSTOMERS))
        self._counts: Final = {partition: self._metrics.open_commitments.begin(partition) for partition in self._partitions}
        self._metrics.collectors.add("partitions", self)
        self._metrics.deployed(engine.policies, fingerprint(engine.policies), START / 1e6 - 60)
        self._metrics.worker.rebalanced(4.2)
        self._named: Final[dict[tuple[str, tuple[tuple[str, str], ...]], str]] = {}

    def take(self, record: FeedRecord) -> None:
        """A record of the feed, if it is in a partition of this worker."""
        if record.everywhere:
            self.tick(record.at)
            for partition in self._partitions:
                self._metrics.event("feed.tick", "applied")
                self._watermarks[partition] = record.at
                self._metrics.partition(partition, record.at, live=True)
            return
        partition = crc32(record.key) % PARTITIONS
        if partition not in self._states:
            return
        self.tick(record.at)
        incoming = decode(record.key, record.value, now=record.at)
        if isinstance(incoming, Rejected):
            self._metrics.rejected(incoming.reason)
            self._neighbours.rejected(record.at)
            return
        assert not isinstance(incoming, Tick)
        event, before = incoming.event, self._states[partition].get(record.key)
        step = self._engine.apply(before, incoming.ticket, event, record.at)
        if step.outcome is Outcome.TOO_LATE:
            self._metrics.rejected("too_late")
            return
        self._events += 1
        self._received = max(self._received, event.at)
        self._neighbours.event(event, record.at)
        self._metrics.event(event.type, _RESULTS[step.outcome])
        if step.unmatched:
            self._metrics.unmatched("other")
        self._keep(partition, record.key, before, step)
        self._watermarks[partition] = max(self._watermarks[partition], event.at)
        self._metrics.partition(partition, self._watermarks[partition])
        self._metrics.worker.events_done(self._drawn(0.012), self._drawn(0.03))

    def tick(self, at: int) -> None:
        """Let time pass to an instant."""
        self._now = at
        self._metrics.woke(at)
        for partition, timers in self._timers.items():
            states = self._states[partition]
            while (key := timers.take(at)) is not None:
                self._keep(partition, key, states[key], self._engine.wake(states[key], at))
                self._metrics.worker.deadlines_done(self._drawn(0.008))

    def _keep(self, partition: int, key: bytes, before: State | None, step: Step) -> None:
        self._states[partition][key] = step.state
        self._counts[partition].change(before, step.state)
        self._timers[partition].move(key, None if before is None else before.wake_at, step.wake_at)
        self._emit(step.effects)

    def _emit(self, effects: tuple[Effect, ...]) -> None:
        detected = [
            msgspec.structs.replace(effect, detected_at=effect.at + int(1e6 * self._drawn(0.045)))
            if effect.kind is Kind.BREACHED and not effect.late
            else effect
            for effect in effects
        ]
        self._metrics.effects(detected, True)
        for effect in detected:
            self._neighbours.effect(effect)

    def _drawn(self, median: float) -> float:
        """Seconds around a median, a few much longer."""
        return median * self._chance.lognormvariate(0, 0.7)

    def collect(self) -> Iterator[Metric]:
        """The gauges that the runtime adds."""
        lag, tickets, waiting, left, swept = (
            GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)
            for spec in (LAG, TICKETS, WAITING, SWEEP_LEFT, DEPLOYMENT_SWEPT)
        )
        for partition in self._partitions:
            lag.add_metric([str(partition)], min(4, int(self._chance.expovariate(1.2))))
            tickets.add_metric([str(partition)], len(self._states[partition]))
            waiting.add_metric([str(partition)], len(self._timers[partition]))
            left.add_metric([str(partition)], 0)
            swept.add_metric([str(partition)], 0)
        yield from (lag, tickets, waiting, left, swept)
        yield from (GaugeMetricFamily(spec.name, spec.help, 0) for spec in (UNSENT, DEPLOYMENT_NEWEST, FILES_DIFFER))
        yield from self._feeds()

    def _feeds(self) -> Iterator[Metric]:
        received, complete, waiting, states = (
            GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)
            for spec in (FEED_RECEIVED, FEED_COMPLETE, FEED_WAITING, FEED_STATE)
        )
        received.add_metric([SOURCE], self._received / 1e6)
        complete.add_metric([SOURCE], self._now / 1e6 - 60 * self._drawn(0.5))
        waiting.add_metric([SOURCE], 0)
        for state in FeedState:
            states.add_metric([SOURCE, state.name.lower()], state is FeedState.COMPLETE)
        yield from (received, complete, waiting, states, GaugeMetricFamily(FEED_LAG_LIMIT.name, FEED_LAG_LIMIT.help, 300))

    def _process(self) -> Iterator[Metric]:
        seconds = (self._now - START) / 1e6
        yield CounterMetricFamily("process_cpu_seconds", "", _CPU_IDLE * seconds + _CPU_AN_EVENT * self._events)
        tickets = sum(map(len, self._states.values()))
        yield GaugeMetricFamily("process_resident_memory_bytes", "", _MEMORY + _MEMORY_A_TICKET * tickets)
        collections = CounterMetricFamily("python_gc_collections", "", labels=["generation"])
        for generation, share in enumerate((1, 11, 121)):
            collections.add_metric([str(generation)], (seconds * 0.2 + self._events) // share)
        yield collections
        yield GaugeMetricFamily("up", "", 1)

    def text(self, at: int) -> str:
        """A scrape, each line with its instant."""
        return _text((*_ours(self._metrics.registry), *self._process()), at, self._name)

    def _name(self, name: str, labels: dict[str, str]) -> str:
        key = name, tuple(labels.items())
        found = self._named.get(key)
        if found is None:
            found = self._named[key] = _written(self._labels, name, labels)
        return found


def _ours(registry: CollectorRegistry) -> list[Metric]:
    """The metrics without those of the process, which are of the one that draws."""
    return [one for one in registry.collect() if not one.name.startswith(("process", "python"))]


def _text(families: Iterable[Metric], at: int, name: Callable[[str, dict[str, str]], str]) -> str:
    stamp = f" {at // 1_000_000}\n"
    samples = (sample for family in families for sample in family.samples)
    lines = [f"{name(sample.name, sample.labels)} {float(sample.value)!r}" for sample in samples]
    return stamp.join(lines) + stamp


def _written(target: str, name: str, labels: dict[str, str]) -> str:
    written = "".join(f',{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{target}{written}}}"
