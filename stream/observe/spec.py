"""A metric as data, and the counters and histograms that hold its series until a scrape reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from prometheus_client import Gauge
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from stream.observe.series import Count, Spread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry

MetricType = Literal["counter", "gauge", "histogram", "gaugehistogram"]
_INF: Final = float("inf")


class Spec(NamedTuple):
    """One metric. ``buckets`` are upper bounds, for histograms; ``+Inf`` is added.

    A gauge histogram is a distribution as it is now: its buckets go up and down, and are read without ``rate``.
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


class Counters(Collector):
    """A counter with all its series."""

    def __init__(self, spec: Spec) -> None:
        self._spec: Final = spec
        self._series: Final[dict[tuple[str, ...], Count]] = {}

    def labels(self, *values: str) -> Count:
        """The series with these values; a new one is shown as 0 from now on."""
        return self._series.get(values) or self._series.setdefault(values, Count())

    def collect(self) -> Iterator[Metric]:
        """All series as of now. Called by the thread that serves the scrape."""
        (family,) = self.describe()
        # A copy is one step of the interpreter, and the worker goes on counting meanwhile.
        for values, count in self._series.copy().items():
            named = dict(zip(self._spec.labels, values, strict=True))
            family.add_sample(self._spec.name, named, count.value, exemplar=count.exemplar)
        yield family

    def describe(self) -> Iterator[Metric]:
        """Name the counter without counting, so that registering twice is noticed."""
        yield Metric(self._spec.name.removesuffix("_total"), self._spec.help, self._spec.type)


class Histograms(Collector):
    """A histogram with all its series."""

    def __init__(self, spec: Spec) -> None:
        self._spec: Final = spec
        self._bounds: Final = tuple(map(float, spec.buckets))
        self._shown: Final = tuple(map(floatToGoString, (*self._bounds, _INF)))
        self._series: Final[dict[tuple[str, ...], Spread]] = {}

    def labels(self, *values: str) -> Spread:
        """The series with these values; a new one is shown as 0 from now on."""
        return self._series.get(values) or self._series.setdefault(values, Spread(self._bounds))

    def collect(self) -> Iterator[Metric]:
        """All series as of now. Called by the thread that serves the scrape."""
        (family,) = self.describe()
        name = self._spec.name
        for values, spread in self._series.copy().items():
            named = dict(zip(self._spec.labels, values, strict=True))
            # The sum may be a moment younger than the counts; among these nothing is.
            below, counts, exemplars = 0, spread.counts.copy(), spread.exemplars.copy()
            for number, (bound, count) in enumerate(zip(self._shown, counts, strict=True)):
                below += count
                family.add_sample(f"{name}_bucket", {**named, "le": bound}, below, exemplar=exemplars.get(number))
            family.add_sample(f"{name}_count", named, below)
            family.add_sample(f"{name}_sum", named, spread.sum)
        yield family

    def describe(self) -> Iterator[Metric]:
        """Name the histogram without counting, so that registering twice is noticed."""
        yield Metric(self._spec.name, self._spec.help, self._spec.type)


def counter(spec: Spec, registry: CollectorRegistry) -> Counters:
    """The counter on a registry."""
    counters = Counters(spec)
    registry.register(counters)
    return counters


def gauge(spec: Spec, registry: CollectorRegistry) -> Gauge:
    """The gauge on a registry."""
    return Gauge(spec.name, spec.help, spec.labels, registry=registry)


def histogram(spec: Spec, registry: CollectorRegistry) -> Histograms:
    """The histogram on a registry, with its buckets."""
    histograms = Histograms(spec)
    registry.register(histograms)
    return histograms
