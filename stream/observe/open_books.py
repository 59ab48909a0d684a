"""The books of all partitions, and the gauge of what is open: added up when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stream.observe.catalogue import OPEN
from stream.observe.open_book import STATES, OpenBook

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.metrics_core import Metric

    from stream.observe.counts import Counts, LabelSets


class OpenBooks(Collector):
    """One book for each partition this worker owns. Shows every label set that is known, at 0 until something opens."""

    def __init__(self, sets: LabelSets) -> None:
        self._sets: Final = sets
        self._books: Final[dict[int, OpenBook]] = {}

    def begin(self, partition: int) -> OpenBook:
        """An empty book, in the place of any there was."""
        book = self._books[partition] = OpenBook(self._sets)
        return book

    def drop(self, partition: int) -> None:
        """What is open there is another worker's to count, or to be counted anew."""
        self._books.pop(partition, None)

    def all(self) -> list[OpenBook]:
        """The books as of now."""
        return list(self._books.values())

    def totals(self) -> tuple[list[Counts], dict[str, list[int]]]:
        """The label sets that are known, and by state how many are open, of each by its number."""
        # A copy is one step of the interpreter, and the worker goes on counting meanwhile. The label sets are copied last, so
        # that all that is counted is among them.
        counted = [(state, there.copy()) for book in self.all() for state, there in book.states.items()]
        sets = list(self._sets.known.copy().values())
        totals = {state: [0] * len(sets) for state in STATES}
        for state, there in counted:
            total = totals[state]
            for number, count in there.items():
                total[number] += count
        return sets, totals

    def collect(self) -> Iterable[Metric]:
        """The gauge with all its values, as of now. Called by the thread that serves the scrape."""
        family = GaugeMetricFamily(OPEN.name, OPEN.help, labels=OPEN.labels)
        sets, totals = self.totals()
        for counts in sets:
            for state, total in totals.items():
                family.add_metric((*counts.labels, state), total[counts.number])
        yield family

    def describe(self) -> Iterator[Metric]:
        """Name the gauge without counting, so that registering twice is noticed."""
        yield GaugeMetricFamily(OPEN.name, OPEN.help, labels=OPEN.labels)
