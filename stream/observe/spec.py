"""A metric as data, and what counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from prometheus_client import Gauge

from stream.observe.families import Counters, Histograms

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

MetricType = Literal["counter", "gauge", "histogram", "gaugehistogram"]


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
