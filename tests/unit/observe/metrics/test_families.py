"""Our own counters and histograms are exposed as those of the client library."""

from __future__ import annotations

from random import Random

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from stream.observe.metrics.families import CounterFamily, HistogramFamily, Spec, counter, histogram

COUNTED = Spec("done_total", "counter", ("kind", "result"), "What was done.")
MEASURED = Spec("took_seconds", "histogram", ("kind",), "How long it took.", (0, 0.5, 1, 60))


def test_a_counter_is_exposed_as_by_the_client() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counted = counter(COUNTED, ours)
    client = Counter(COUNTED.name, COUNTED.help, COUNTED.labels, registry=theirs)
    for kind, result, times in (("a", "good", 3), ("a", "bad", 0), ('"b"', "good", 10**9)):
        counted.labels(kind, result).value += times
        client.labels(kind, result).inc(times)

    assert generate_latest(ours) == _without_created(generate_latest(theirs))


def test_a_histogram_is_exposed_as_by_the_client() -> None:
    ours, theirs, dice = CollectorRegistry(), CollectorRegistry(), Random(3)
    measured = histogram(MEASURED, ours)
    client = Histogram(MEASURED.name, MEASURED.help, MEASURED.labels, registry=theirs, buckets=MEASURED.buckets)
    for value in (0.0, 0.5, 1.0, 60.0, 60.5, *(dice.choice((0.25, 0.75, 2.0, 99.0)) for _ in range(200))):
        kind = dice.choice("ab")
        measured.labels(kind).observe(value)
        client.labels(kind).observe(value)

    assert generate_latest(ours) == _without_created(generate_latest(theirs))


def test_the_bucket_of_a_value_has_its_ticket_as_an_exemplar() -> None:
    registry = CollectorRegistry()
    histogram(MEASURED, registry).labels("a").observe_of("desk/1", 0.5)

    (line,) = [line for line in generate_openmetrics(registry).decode().splitlines() if "desk/1" in line]
    assert line.startswith('took_seconds_bucket{kind="a",le="0.5"} 1.0 # {ticket="desk/1"} 0.5 ')


def test_a_series_starts_at_zero() -> None:
    registry = CollectorRegistry()
    counter(COUNTED, registry).labels("a", "good")
    histogram(MEASURED, registry).labels("a")

    assert registry.get_sample_value("done_total", {"kind": "a", "result": "good"}) == 0
    assert registry.get_sample_value("took_seconds_count", {"kind": "a"}) == 0


@pytest.mark.parametrize("family", [CounterFamily(COUNTED), HistogramFamily(MEASURED)])
def test_a_metric_cannot_be_registered_twice(family: CounterFamily | HistogramFamily) -> None:
    registry = CollectorRegistry()
    registry.register(family)

    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(type(family)(family._spec))


def _without_created(page: bytes) -> bytes:
    """Remove the creation times: whether the client writes them is set for the whole process."""
    return b"".join(line for line in page.splitlines(keepends=True) if b"_created" not in line)
