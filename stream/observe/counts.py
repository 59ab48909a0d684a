"""The counters of one label set, together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream.observe.metrics import Metrics


class Counts:
    """The metrics of one label set; made together, so that each exists at 0 before it is needed."""

    __slots__ = (
        "breached",
        "breaches_retracted",
        "cancelled",
        "late_breaches",
        "met",
        "met_retracted",
        "others_retracted",
        "paused",
        "reopened",
        "reopenings_retracted",
        "started",
        "time",
        "used",
    )

    def __init__(self, metrics: Metrics, labels: tuple[str, ...]) -> None:
        what = labels[:2]
        self.started = metrics.started.labels(*labels)
        self.met = metrics.decided.labels(*labels, "met")
        self.breached = metrics.decided.labels(*labels, "breached")
        self.cancelled = metrics.decided.labels(*labels, "cancelled")
        self.breaches_retracted = metrics.retractions.labels(*labels, "breach")
        self.met_retracted = metrics.retractions.labels(*labels, "met")
        self.reopenings_retracted = metrics.retractions.labels(*labels, "reopening")
        self.others_retracted = metrics.retractions.labels(*labels, "other")
        self.reopened = metrics.reopened.labels(*labels)
        self.late_breaches = metrics.late_breaches.labels(*what)
        self.time = metrics.time.labels(*what)
        self.used = metrics.used.labels(*what)
        self.paused = metrics.paused.labels(*what)
