"""One series of a counter or a histogram, updated by a plain addition.

One thread adds and the scrape reads; no read sees a half-written number. The series of ``prometheus_client`` take a lock at
every update. With several effects per event, that lock would cost more than all other counting.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import Final

from prometheus_client.samples import Exemplar

_bisect_left: Final = bisect_left  # compiled code looks up the imported name in a dict, at each use
_EXEMPLAR: Final = 128 - len("ticket")
"""OpenMetrics allows 128 characters for the names and values of an exemplar."""


def exemplar(ticket: str, value: float) -> Exemplar:
    """Link a value to the ticket that it is about, with the present time."""
    return Exemplar({"ticket": ticket[:_EXEMPLAR]}, value, time.time())


class CounterSeries:
    """One series of a counter. Callers add to ``value``."""

    __slots__ = ("exemplar", "value")

    def __init__(self) -> None:
        self.value = 0
        self.exemplar: Exemplar | None = None


class HistogramSeries:
    """One series of a histogram: the count of each bucket (not cumulative), and the sum of the values."""

    __slots__ = ("_bounds", "_first", "counts", "exemplars", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds: Final = bounds
        self._first: Final = bounds[0]
        self.counts: Final = [0] * (len(bounds) + 1)
        """One per bound, and a last one for values above all bounds."""
        self.sum = 0.0
        self.exemplars: dict[int, Exemplar] = {}
        """By index into ``counts``."""

    def observe(self, value: float) -> None:
        self.counts[_bisect_left(self._bounds, value) if value > self._first else 0] += 1
        self.sum += value

    def observe_of(self, ticket: str, value: float) -> None:
        """Observe a value and keep the ticket as its bucket's exemplar."""
        self.observe(value)
        self.exemplars[bisect_left(self._bounds, value)] = exemplar(ticket, value)
