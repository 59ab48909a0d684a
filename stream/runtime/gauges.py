"""Gauges that read a running worker at each scrape: its lag, its unsent outputs, its tickets, timers and deployments.

The thread that serves the scrape reads them. It reads only numbers and lengths, each in one step of the interpreter.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from stream.observe.metrics import catalogue as names
from stream.runtime.feed_views import feed_health
from stream.sla.feed_health import REASONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from faust.types import TP
    from prometheus_client.metrics_core import Metric

    from stream.observe.metrics.families import Spec
    from stream.runtime.deployments import DeploymentFollower
    from stream.runtime.kafka.topic_watch import TopicWatch
    from stream.runtime.partition.shard import Shard


class Gauges(Collector):
    """Collects the gauges of a worker's partitions."""

    def __init__(self, shards: Callable[[], list[Shard]], lag: Callable[[TP], int | None]) -> None:
        """``shards`` returns the shards of the worker. ``lag`` returns the published records that are not yet processed."""
        self._shards: Final = shards
        self._lag: Final = lag

    def collect(self) -> Iterator[Metric]:
        """The current values. The lag uses the end of the input at the watchdog's last check."""
        unsent, lag, tickets, waiting = map(_gauge, (names.UNSENT, names.LAG, names.TICKETS, names.WAITING))
        lost = _gauge(names.INPUT_LOST_AT)
        left, swept = map(_gauge, (names.SWEEP_LEFT, names.DEPLOYMENT_SWEPT))
        shards = self._shards()
        sending = [since for shard in shards if (since := shard.outputs.sending_since) is not None]
        unsent.add_metric((), min(sending, default=0.0))
        for shard in shards:
            number = (str(shard.number),)
            behind = self._lag(shard.source)
            if behind is not None:
                lag.add_metric(number, behind)
            tickets.add_metric(number, len(shard.tickets))
            waiting.add_metric(number, len(shard.timers))
            lost.add_metric(number, shard.gaps[-1].found_at / 1e6 if shard.gaps else 0)
            sweep = shard.sweep
            left.add_metric(number, 0 if sweep is None else len(sweep))
            swept.add_metric(number, shard.swept)
        yield from (unsent, lag, tickets, waiting, left, swept, lost)


class FeedGauges(Collector):
    """Collects what a worker knows of the feeds of its sources."""

    def __init__(self, shards: Callable[[], list[Shard]], lag_limit: int) -> None:
        """``lag_limit`` in microseconds."""
        self._shards: Final = shards
        self._lag_limit: Final = lag_limit

    def collect(self) -> Iterator[Metric]:
        """The current values. A partition that catches up does not know yet how a feed stands."""
        received, complete = _gauge(names.FEED_RECEIVED), _gauge(names.FEED_COMPLETE)
        state, waiting = _gauge(names.FEED_STATE), _gauge(names.FEED_WAITING)
        health = feed_health(self._shards())
        for source, one in health.items():
            if one.received is not None:
                received.add_metric((source,), one.received / 1e6)
            if one.feed is not None:
                complete.add_metric((source,), one.feed.complete / 1e6)
                waiting.add_metric((source,), one.waiting)
                for each in REASONS:
                    state.add_metric((source, each.value), one.feed.state is each)
        yield from (received, complete, state, waiting, _number(names.FEED_LAG_LIMIT, self._lag_limit / 1e6))


class TopicGauges(Collector):
    """Collects what a worker knows of its topics."""

    def __init__(self, watch: TopicWatch) -> None:
        self._watch: Final = watch

    def collect(self) -> Iterator[Metric]:
        """The current values."""
        yield _number(names.UNREAD_PARTITIONS, self._watch.unread)
        yield _number(names.TOPICS_MISSING, self._watch.missing)
        yield _number(names.TOPIC_SETTINGS_WRONG, len(self._watch.unsafe))


class DeploymentGauges(Collector):
    """Collects what a worker knows of deployments."""

    def __init__(self, deployments: DeploymentFollower) -> None:
        self._deployments: Final = deployments

    def collect(self) -> Iterator[Metric]:
        """The current values."""
        deployments = self._deployments
        entry, tail = deployments.newest, deployments.tail
        appended = _gauge(names.DEPLOYMENT_TIME)
        appended.add_metric((str(entry.number), entry.kind), entry.appended / 1e6)
        yield appended
        yield _number(names.DEPLOYMENT_NEWEST, entry.number)
        yield _number(names.FILES_DIFFER, entry.fingerprint != deployments.files)
        yield _number(names.LOG_BEHIND, tail.behind)
        yield _number(names.LOG_READ, time.time() - tail.silent_for)
        yield CounterMetricFamily(names.LOG_UNREADABLE.name, names.LOG_UNREADABLE.help, len(deployments.void))


def _gauge(spec: Spec) -> GaugeMetricFamily:
    return GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)


def _number(spec: Spec, value: float) -> GaugeMetricFamily:
    family = _gauge(spec)
    family.add_metric((), value)
    return family
