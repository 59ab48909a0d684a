"""Collectors whose duration and failures are metrics themselves, so that a slow or failing collector is visible."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from stream.observe.metrics.catalogue import COLLECTOR_ERRORS, COLLECTOR_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

log = logging.getLogger(__name__)


class InstrumentedCollectors(Collector):
    """Several collectors as one. One that fails is logged, counted and left out of the scrape; the others are served."""

    def __init__(self) -> None:
        self._collectors: Final[dict[str, Collector]] = {}
        self._errors: Final[dict[str, int]] = {}

    def add(self, name: str, collector: Collector) -> None:
        """``name``: the value of the label ``collector``. Raises ValueError when the name is taken."""
        if name in self._collectors:
            raise ValueError(f"a collector named {name!r} exists already")
        self._errors[name] = 0
        self._collectors[name] = collector

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all collectors, their durations and error counts. Runs in the thread that serves the scrape."""
        seconds = GaugeMetricFamily(COLLECTOR_SECONDS.name, COLLECTOR_SECONDS.help, labels=COLLECTOR_SECONDS.labels)
        errors = CounterMetricFamily(COLLECTOR_ERRORS.name, COLLECTOR_ERRORS.help, labels=COLLECTOR_ERRORS.labels)
        for name, collector in list(self._collectors.items()):
            began = time.perf_counter()
            try:
                collected = list(collector.collect())
            except Exception:  # one failing collector must not cost the scrape of the others; it is counted below
                log.exception("the metrics of %s could not be gathered", name)
                self._errors[name] += 1
                collected = []
            yield from collected
            seconds.add_metric((name,), time.perf_counter() - began)
            errors.add_metric((name,), self._errors[name])
        yield seconds
        yield errors

    def describe(self) -> Iterator[Metric]:
        """Yield the names without samples, so that the registry detects a second registration."""
        yield GaugeMetricFamily(COLLECTOR_SECONDS.name, COLLECTOR_SECONDS.help, labels=COLLECTOR_SECONDS.labels)
        yield CounterMetricFamily(COLLECTOR_ERRORS.name, COLLECTOR_ERRORS.help, labels=COLLECTOR_ERRORS.labels)
