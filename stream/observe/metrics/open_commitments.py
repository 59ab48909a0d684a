"""The open commitments of all partitions, and the gauge that sums their counts at each scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stream.observe.metrics.open_counts import STATES, OpenCommitmentCounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.metrics_core import Metric

    from stream.observe.metrics.commitment_metrics import CommitmentMetrics, CommitmentSeries


class OpenCommitments(Collector):
    """The counts of each partition that this worker owns. Exposes every known label set, at 0 until a commitment opens."""

    def __init__(self, metrics: CommitmentMetrics) -> None:
        self._metrics: Final = metrics
        self._partitions: Final[dict[int, OpenCommitmentCounts]] = {}

    def begin(self, partition: int) -> OpenCommitmentCounts:
        """Start empty counts for a partition, in place of any earlier ones."""
        counts = self._partitions[partition] = OpenCommitmentCounts(self._metrics)
        return counts

    def drop(self, partition: int) -> None:
        """Drop the counts of a partition. Its next owner counts its open commitments anew."""
        self._partitions.pop(partition, None)

    def all(self) -> list[OpenCommitmentCounts]:
        """Return the counts of the partitions owned now."""
        return list(self._partitions.values())

    def totals(self) -> tuple[list[CommitmentSeries], dict[str, list[int]]]:
        """Return the known label sets, and for each state the number of open commitments by the index of the label set."""
        # Each copy is atomic in the interpreter; the event loop keeps counting meanwhile. The label sets are copied last, so
        # that every index among the counts is known.
        copies = [(state, by_index.copy()) for counts in self.all() for state, by_index in counts.states.items()]
        known = list(self._metrics.known.copy().values())
        totals = {state: [0] * len(known) for state in STATES}
        for state, by_index in copies:
            total = totals[state]
            for index, count in by_index.items():
                total[index] += count
        return known, totals

    def collect(self) -> Iterable[Metric]:
        """Yield the gauge with all its values. Runs in the thread that serves the scrape."""
        family = self._family()
        known, totals = self.totals()
        for series in known:
            for state, total in totals.items():
                family.add_metric((*series.labels, state), total[series.index])
        yield family

    def describe(self) -> Iterator[Metric]:
        """Yield the name without samples, so that the registry detects a second registration."""
        yield self._family()

    def _family(self) -> GaugeMetricFamily:
        spec = self._metrics.open
        return GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)
