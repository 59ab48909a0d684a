"""The metrics of ``breachwatch writeback``: their table, and what counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stream.observe.metrics.families import CounterFamily, Spec
from stream.writeback.api import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.core import Metric

TICKETS: Final = Spec(
    "sla_writeback_tickets_total",
    "counter",
    ("desk", "outcome"),
    "Tickets that were to be written into a helpdesk, by outcome: written, unchanged (it had the values already), closed, "
    "gone or refused (counted, and not repeated), dry_run (it would have been written).",
)
SKIPPED: Final = Spec(
    "sla_writeback_skipped_effects_total",
    "counter",
    ("reason",),
    "Effects of which nothing is written. reason: no_desk (no file of a desk has the ticket), unreadable.",
)
UNLISTED: Final = Spec(
    "sla_writeback_unlisted_values_total",
    "counter",
    ("desk",),
    "Values that the table of a rule does not have, so that their field was left as it was.",
)
WAITING: Final = Spec("sla_writeback_waiting_tickets", "gauge", ("desk",), "Tickets that are to be written and are not yet.")
OLDEST: Final = Spec(
    "sla_writeback_oldest_waiting_timestamp_seconds",
    "gauge",
    ("desk",),
    "Since when the ticket that has waited longest waits; 0: no ticket waits.",
)
FAILING: Final = Spec("sla_writeback_desk_failing", "gauge", ("desk",), "1 while the helpdesk does not take changes, else 0.")
CATALOGUE: Final = (TICKETS, SKIPPED, UNLISTED, WAITING, OLDEST, FAILING)

NO_DESK: Final = "no_desk"
UNREADABLE: Final = "unreadable"


class DeskStatus(NamedTuple):
    """The tickets that wait at a desk."""

    name: str
    waiting: int
    oldest: float
    """Since when the ticket that has waited longest waits (seconds since the epoch); 0: no ticket waits."""
    failing: bool


class _Desks(Collector):
    def __init__(self, desks: Callable[[], Iterable[DeskStatus]]) -> None:
        self._desks: Final = desks

    def collect(self) -> Iterator[Metric]:
        waiting, oldest, failing = (GaugeMetricFamily(s.name, s.help, labels=s.labels) for s in (WAITING, OLDEST, FAILING))
        for desk in self._desks():
            waiting.add_metric([desk.name], desk.waiting)
            oldest.add_metric([desk.name], desk.oldest)
            failing.add_metric([desk.name], desk.failing)
        yield from (waiting, oldest, failing)


class WritebackMetrics:
    """Counts what is written back. Every series of the given desks exists from the start."""

    def __init__(self, names: Iterable[str]) -> None:
        self.registry: Final = CollectorRegistry(auto_describe=True)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._tickets, self._skipped, self._unlisted = (CounterFamily(spec) for spec in (TICKETS, SKIPPED, UNLISTED))
        for family in (self._tickets, self._skipped, self._unlisted):
            self.registry.register(family)
        for name in names:
            self._unlisted.labels(name)
            for outcome in Outcome:
                self._tickets.labels(name, outcome)
        for reason in (NO_DESK, UNREADABLE):
            self._skipped.labels(reason)

    def watch(self, desks: Callable[[], Iterable[DeskStatus]]) -> None:
        """Show what waits at these desks."""
        self.registry.register(_Desks(desks))

    def wrote(self, desk: str, outcome: Outcome) -> None:
        self._tickets.labels(desk, outcome).value += 1

    def unlisted(self, desk: str) -> None:
        self._unlisted.labels(desk).value += 1

    def skipped(self, reason: str) -> None:
        self._skipped.labels(reason).value += 1
