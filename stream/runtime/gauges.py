"""What is asked of a running app at each scrape: how far behind it is, what waits to be sent, how much it holds.

Called by the thread that serves the scrape. It reads numbers and lengths only, each in one step of the interpreter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stream.observe.metrics.catalogue import LAG, TICKETS, UNSENT, WAITING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from stream.runtime.app import App


class Gauges(Collector):
    """The partitions of an app as numbers."""

    def __init__(self, app: App) -> None:
        self._app: Final = app

    def collect(self) -> Iterator[Metric]:
        """As of now; the ends of the input as of the watchdog's last look."""
        unsent = GaugeMetricFamily(UNSENT.name, UNSENT.help)
        lag, tickets, waiting = (
            GaugeMetricFamily(spec.name, spec.help, labels=spec.labels) for spec in (LAG, TICKETS, WAITING)
        )
        partitions = list(self._app.partitions.values())
        sending = [since for partition in partitions if (since := partition.outputs.sending_since) is not None]
        unsent.add_metric((), min(sending, default=0.0))
        for partition in partitions:
            number = (str(partition.number),)
            behind = self._app.lag(partition.source)
            if behind is not None:
                lag.add_metric(number, behind)
            tickets.add_metric(number, len(partition.tickets))
            waiting.add_metric(number, len(partition.deadlines))
        yield from (unsent, lag, tickets, waiting)
