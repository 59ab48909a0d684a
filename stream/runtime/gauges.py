"""Gauges that read a running worker at each scrape: its lag, its unsent outputs, its tickets and timers.

The thread that serves the scrape reads them. It reads only numbers and lengths, each in one step of the interpreter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stream.observe.metrics.catalogue import LAG, TICKETS, UNSENT, WAITING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from faust.types import TP
    from prometheus_client.metrics_core import Metric

    from stream.runtime.partition.shard import Shard


class Gauges(Collector):
    """Collects the gauges of a worker's partitions."""

    def __init__(self, shards: Callable[[], list[Shard]], lag: Callable[[TP], int | None]) -> None:
        """``shards`` returns the shards of the worker. ``lag`` returns the published records that are not yet processed."""
        self._shards: Final = shards
        self._lag: Final = lag

    def collect(self) -> Iterator[Metric]:
        """The current values. The lag uses the end of the input at the watchdog's last check."""
        unsent = GaugeMetricFamily(UNSENT.name, UNSENT.help)
        lag, tickets, waiting = (
            GaugeMetricFamily(spec.name, spec.help, labels=spec.labels) for spec in (LAG, TICKETS, WAITING)
        )
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
        yield from (unsent, lag, tickets, waiting)
