"""Collectors whose cost and failures are metrics too: what gathers the gauges must not be able to hide."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from stream.observe.catalogue import COLLECTOR_ERRORS, COLLECTOR_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

log = logging.getLogger(__name__)


class Watched(Collector):
    """Several collectors as one. One that fails is left out of the scrape, logged and counted; the others are served."""

    def __init__(self) -> None:
        self._collectors: Final[dict[str, Collector]] = {}
        self._errors: Final[dict[str, int]] = {}

    def add(self, name: str, collector: Collector) -> None:
        """``name``: the value of the label ``collector``. Raises ValueError when it is taken."""
        if name in self._collectors:
            raise ValueError(f"there is a collector {name!r} already")
        self._errors[name] = 0
        self._collectors[name] = collector

    def collect(self) -> Iterator[Metric]:
        """What they gather, and how they did. Called by the thread that serves the scrape."""
        seconds = GaugeMetricFamily(COLLECTOR_SECONDS.name, COLLECTOR_SECONDS.help, labels=COLLECTOR_SECONDS.labels)
        errors = CounterMetricFamily(COLLECTOR_ERRORS.name, COLLECTOR_ERRORS.help, labels=COLLECTOR_ERRORS.labels)
        for name, collector in list(self._collectors.items()):
            began = time.perf_counter()
            try:
                gathered = list(collector.collect())
            except Exception:  # a page without these gauges is better than none, and says so
                log.exception("the metrics of %s could not be gathered", name)
                self._errors[name] += 1
                gathered = []
            yield from gathered
            seconds.add_metric((name,), time.perf_counter() - began)
            errors.add_metric((name,), self._errors[name])
        yield seconds
        yield errors

    def describe(self) -> Iterator[Metric]:
        """Name the metrics without gathering, so that registering twice is noticed."""
        yield GaugeMetricFamily(COLLECTOR_SECONDS.name, COLLECTOR_SECONDS.help, labels=COLLECTOR_SECONDS.labels)
        yield CounterMetricFamily(COLLECTOR_ERRORS.name, COLLECTOR_ERRORS.help, labels=COLLECTOR_ERRORS.labels)
