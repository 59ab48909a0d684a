"""The book of open commitments: how many stand how, kept up ticket by ticket and read at each scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stream.observe.catalogue import OPEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.metrics_core import Metric

STATES: Final = ("running", "paused", "breached")

Entry = tuple[str, ...]
"""The labels of one count: policy, commitment, priority, team, state."""


class OpenBook(Collector):
    """Counts by label set and state. A ticket costs one entry, a change one step for each of its commitments."""

    def __init__(self) -> None:
        self._counts: dict[Entry, int] = {}
        # Of each entry one object that all tickets share: a million open tickets must not hold a million tuples.
        self._shared: dict[Entry, Entry] = {}
        self._tickets: dict[str, tuple[Entry, ...]] = {}

    def entry(self, labels: tuple[str, ...], state: str) -> Entry:
        """The entry for (policy, commitment, priority, team) and a state; shown as 0 until something opens."""
        wanted = (*labels, state)
        entry = self._shared.setdefault(wanted, wanted)
        self._counts.setdefault(entry, 0)
        return entry

    def foresee(self, labels: tuple[str, ...]) -> None:
        """Show a label set as 0 in every state."""
        for state in STATES:
            self.entry(labels, state)

    def set(self, ticket: str, entries: tuple[Entry, ...]) -> int:
        """Replace what was said of a ticket by its open commitments, as ``entry`` gave them; none forgets it.

        Returns how many more there are than before.
        """
        before = self._tickets.get(ticket, ())
        if before == entries:
            return 0
        counts = self._counts
        for entry in before:
            counts[entry] -= 1
        for entry in entries:
            counts[entry] += 1
        if entries:
            self._tickets[ticket] = entries
        else:
            del self._tickets[ticket]
        return len(entries) - len(before)

    def collect(self) -> Iterable[Metric]:
        """The gauge with all its values, as of now. Called by the thread that serves the scrape."""
        family = GaugeMetricFamily(OPEN.name, OPEN.help, labels=OPEN.labels)
        # copy() is one step of the interpreter; iterating while the worker adds a key would raise.
        for entry, count in self._counts.copy().items():
            family.add_metric(entry, count)
        yield family

    def describe(self) -> Iterator[Metric]:
        """Name the gauge without counting, so that registering twice is noticed."""
        yield GaugeMetricFamily(OPEN.name, OPEN.help, labels=OPEN.labels)
