"""Measurements of the worker itself: the duration of its work and of rebalances, and how far it is behind its input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.observe.metrics.catalogue import EVENT_AGE, REBALANCE, UNIT_OF_WORK
from stream.observe.metrics.families import histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class WorkerMetrics:
    """Updated at most once per unit of work. Durations are seconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        duration = histogram(UNIT_OF_WORK, registry)
        self._events, self._deadlines = duration.labels("events"), duration.labels("deadlines")
        self._age = histogram(EVENT_AGE, registry).labels()
        self._rebalance = histogram(REBALANCE, registry).labels()

    def events_done(self, seconds: float, age: float | None) -> None:
        """Record a unit of work over events. ``age``: seconds since Kafka received its oldest event; ``None``: unknown."""
        self._events.observe(seconds)
        if age is not None:
            # The broker's clock may be ahead of ours.
            self._age.observe(max(0.0, age))

    def deadlines_done(self, seconds: float) -> None:
        """Record a unit of work that only fired timers."""
        self._deadlines.observe(seconds)

    def rebalanced(self, seconds: float) -> None:
        """Record a rebalance."""
        self._rebalance.observe(seconds)
