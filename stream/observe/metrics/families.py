"""A metric as data, and the collectors that expose counters and histograms with all their series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from prometheus_client import Gauge
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from stream.observe.metrics.series import CounterSeries, HistogramSeries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry

MetricType = Literal["counter", "gauge", "histogram", "gaugehistogram"]

_INF: Final = float("inf")


class Spec(NamedTuple):
    """One metric. ``buckets`` are the upper bounds of a histogram; ``+Inf`` is added.

    A gauge histogram is a distribution at the time of the scrape: its buckets rise and fall, and queries read them without
    ``rate``.
    """

    name: str
    type: MetricType
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which Prometheus stores it."""
        if self.type == "histogram":
            return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
        if self.type == "gaugehistogram":
            return (f"{self.name}_bucket",)
        return (self.name,)


class CounterFamily(Collector):
    """A counter with all its series."""

    def __init__(self, spec: Spec) -> None:
        self._spec: Final = spec
        self._series: Final[dict[tuple[str, ...], CounterSeries]] = {}

    def labels(self, *values: str) -> CounterSeries:
        """Return the series with these label values. A new series starts at 0 and is exposed from now on."""
        return self._series.get(values) or self._series.setdefault(values, CounterSeries())

    def collect(self) -> Iterator[Metric]:
        """Yield all series. Runs in the thread that serves the scrape."""
        (family,) = self.describe()
        # The copy is atomic in the interpreter; the event loop keeps counting meanwhile.
        for values, series in self._series.copy().items():
            labels = dict(zip(self._spec.labels, values, strict=True))
            family.add_sample(self._spec.name, labels, series.value, exemplar=series.exemplar)
        yield family

    def describe(self) -> Iterator[Metric]:
        """Yield the name without samples, so that the registry detects a second registration."""
        yield Metric(self._spec.name.removesuffix("_total"), self._spec.help, self._spec.type)


class HistogramFamily(Collector):
    """A histogram with all its series."""

    def __init__(self, spec: Spec) -> None:
        self._spec: Final = spec
        self._bounds: Final = tuple(map(float, spec.buckets))
        self._bound_labels: Final = tuple(map(floatToGoString, (*self._bounds, _INF)))
        self._series: Final[dict[tuple[str, ...], HistogramSeries]] = {}

    def labels(self, *values: str) -> HistogramSeries:
        """Return the series with these label values. A new series starts at 0 and is exposed from now on."""
        return self._series.get(values) or self._series.setdefault(values, HistogramSeries(self._bounds))

    def collect(self) -> Iterator[Metric]:
        """Yield all series. Runs in the thread that serves the scrape."""
        (family,) = self.describe()
        name = self._spec.name
        for values, series in self._series.copy().items():
            labels = dict(zip(self._spec.labels, values, strict=True))
            # The sum may be slightly newer than the counts; the counts are consistent with one another.
            cumulative, counts, exemplars = 0, series.counts.copy(), series.exemplars.copy()
            for index, (bound, count) in enumerate(zip(self._bound_labels, counts, strict=True)):
                cumulative += count
                family.add_sample(f"{name}_bucket", {**labels, "le": bound}, cumulative, exemplar=exemplars.get(index))
            family.add_sample(f"{name}_count", labels, cumulative)
            family.add_sample(f"{name}_sum", labels, series.sum)
        yield family

    def describe(self) -> Iterator[Metric]:
        """Yield the name without samples, so that the registry detects a second registration."""
        yield Metric(self._spec.name, self._spec.help, self._spec.type)


def counter(spec: Spec, registry: CollectorRegistry) -> CounterFamily:
    """Register a counter."""
    family = CounterFamily(spec)
    registry.register(family)
    return family


def gauge(spec: Spec, registry: CollectorRegistry) -> Gauge:
    """Register a gauge."""
    return Gauge(spec.name, spec.help, spec.labels, registry=registry)


def histogram(spec: Spec, registry: CollectorRegistry) -> HistogramFamily:
    """Register a histogram with its buckets."""
    family = HistogramFamily(spec)
    registry.register(family)
    return family
