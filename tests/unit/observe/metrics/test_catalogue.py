"""The registry exports the metrics of the catalogue."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from stream.observe.metrics.catalogue import CATALOGUE
from stream.observe.metrics.labels import LabelBounds
from stream.observe.metrics.registry import Metrics
from stream.runtime.gauges import DeploymentGauges, FeedGauges, Gauges, TopicGauges
from stream.runtime.kafka.topic_watch import TopicWatch
from stream.runtime.kafka.topics import Topics
from stream.sla.effects import Kind, ProvisionalReason
from stream.sla.feed_health import Feeds
from stream.sla.feed_state import FeedState
from tests.unit.observe.observed import effect, gold, policy_set, silver


@pytest.fixture
def metrics() -> Metrics:
    """The metrics of a worker that owns a partition, with all labels."""
    metrics = Metrics(policy_set(gold(), silver()), bounds=LabelBounds(customers=frozenset({"acme"})))
    outputs = SimpleNamespace(sending_since=None)
    feeds: Feeds[bytes] = Feeds()
    feeds.event("desk", 1)
    feeds.tick("desk", 1, FeedState.LAGGING, 1)
    shard: Any = SimpleNamespace(
        number=0,
        source=None,
        outputs=outputs,
        tickets={b"t": b""},
        timers=(),
        sweep=None,
        swept=0,
        gaps=(),
        live=True,
        feeds=feeds,
    )
    entry = SimpleNamespace(number=0, kind="deploy", fingerprint="aa", appended=1_700_000_000_000_000)
    tail = SimpleNamespace(behind=0, silent_for=0.5)
    deployments: Any = SimpleNamespace(newest=entry, tail=tail, files="aa", void=[])
    metrics.collectors.add("partitions", Gauges(lambda: [shard], lambda source: 3))
    metrics.collectors.add("feeds", FeedGauges(lambda: [shard], 300_000_000))
    metrics.collectors.add("topics", TopicGauges(TopicWatch(Topics("desk"), 4)))
    metrics.collectors.add("deployments", DeploymentGauges(deployments))
    metrics.deployed(policy_set(gold()), "aa", 1_700_000_000.0)
    return metrics


def test_the_registry_exports_the_metrics_of_the_catalogue_and_no_others(metrics: Metrics) -> None:
    exported = {
        (family.name, family.type, family.documentation)
        for family in metrics.registry.collect()
        if family.name.startswith("sla_")
    }

    assert exported == {(spec.name.removesuffix("_total"), spec.type, spec.help) for spec in CATALOGUE}


def test_every_sample_has_the_labels_of_the_catalogue(metrics: Metrics) -> None:
    metrics.effects([effect(kind, ladder="management", level="executive") for kind in Kind], clock_is_wall=True)
    metrics.effects([effect(Kind.BREACHED, page=True)], clock_is_wall=True)
    lagging = {"provisional": True, "provisional_reason": ProvisionalReason.FEED_LAGGING}
    metrics.effects([effect(Kind.RAISED, ladder="management", level="executive", **lagging)], clock_is_wall=True)
    metrics.partition(0, watermark=1)
    labels = {name: set(spec.labels) for spec in CATALOGUE for name in spec.series}

    samples = [sample for family in metrics.registry.collect() for sample in family.samples]

    exported = {sample.name for sample in samples}
    assert set(labels) == {name for name in exported if name.startswith("sla_")}
    for sample in samples:
        if sample.name.startswith("sla_"):
            assert set(sample.labels) - {"le"} == labels[sample.name], sample.name


def test_no_metric_has_a_ticket_or_a_person_as_a_label() -> None:
    for spec in CATALOGUE:
        assert not {"ticket", "id", "agent", "assignee", "actor"} & set(spec.labels), spec.name
