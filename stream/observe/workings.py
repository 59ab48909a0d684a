"""What the worker measures of itself: how long turns and rebalances take, and how far behind the input it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.observe.catalogue import EVENT_AGE, REBALANCE, TURN
from stream.observe.spec import histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class Workings:
    """Called once a turn or less often. Lengths are seconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        turn = histogram(TURN, registry)
        self._events, self._deadlines = turn.labels("events"), turn.labels("deadlines")
        self._age = histogram(EVENT_AGE, registry).labels()
        self._rebalance = histogram(REBALANCE, registry).labels()

    def events_done(self, seconds: float, age: float) -> None:
        """A turn over events ended. ``age``: since Kafka was given the oldest of them."""
        self._events.observe(seconds)
        # The broker's clock may be ahead of ours.
        self._age.observe(max(0.0, age))

    def deadlines_done(self, seconds: float) -> None:
        """A turn for deadlines alone ended."""
        self._deadlines.observe(seconds)

    def rebalanced(self, seconds: float) -> None:
        """A rebalance ended."""
        self._rebalance.observe(seconds)
