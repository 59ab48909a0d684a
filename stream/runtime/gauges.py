"""What is asked of a running worker at each scrape: how far behind it is, what waits to be sent, how much it holds.

Called by the thread that serves the scrape. It reads numbers and lengths only, each in one step of the interpreter.
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
    """The partitions of a worker as numbers."""

    def __init__(self, shards: Callable[[], list[Shard]], lag: Callable[[TP], int | None]) -> None:
        """``shards``: what the worker holds. ``lag``: records published and not yet processed."""
        self._shards: Final = shards
        self._lag: Final = lag

    def collect(self) -> Iterator[Metric]:
        """As of now; the ends of the input as of the watchdog's last look."""
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
