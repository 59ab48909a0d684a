"""Collectors whose duration and failures are measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stream.observe.metrics.instrumented import InstrumentedCollectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric


class Things(Collector):
    """One gauge. A test can make it fail."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.broken = False

    def collect(self) -> Iterator[Metric]:
        if self.broken:
            raise RuntimeError("a bug in a collector")
        yield GaugeMetricFamily(self.name, "Things.", 3)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def collectors(registry: CollectorRegistry) -> InstrumentedCollectors:
    collectors = InstrumentedCollectors()
    registry.register(collectors)
    return collectors


def test_collected_metrics_are_served_with_their_duration(
    collectors: InstrumentedCollectors, registry: CollectorRegistry
) -> None:
    collectors.add("apples", Things("apples"))

    assert registry.get_sample_value("apples") == 3
    took = registry.get_sample_value("sla_collector_duration_seconds", {"collector": "apples"})
    assert took is not None
    assert took >= 0
    assert registry.get_sample_value("sla_collector_errors_total", {"collector": "apples"}) == 0


def test_a_failing_collector_is_omitted_and_counted_and_the_others_are_served(
    collectors: InstrumentedCollectors, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    apples, pears = Things("apples"), Things("pears")
    collectors.add("apples", apples)
    collectors.add("pears", pears)
    apples.broken = True

    found = {
        sample.name: sample.value
        for family in registry.collect()
        for sample in family.samples
        if family.name != "sla_collector_duration_seconds"
    }

    assert found["pears"] == 3
    assert "apples" not in found
    assert registry.get_sample_value("sla_collector_errors_total", {"collector": "apples"}) == 2
    assert "a bug in a collector" in caplog.text
    apples.broken = False
    assert registry.get_sample_value("apples") == 3


def test_two_collectors_need_two_names(collectors: InstrumentedCollectors) -> None:
    collectors.add("apples", Things("apples"))

    with pytest.raises(ValueError, match="already"):
        collectors.add("apples", Things("pears"))
