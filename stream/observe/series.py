"""One series of a counter or a histogram: a plain addition. One thread adds, a scrape reads, and neither finds half a number;
the client's own series take a lock each time, which at some effects an event is more than all else that counting costs.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import Final

from prometheus_client.samples import Exemplar

_EXEMPLAR: Final = 128 - len("ticket")
"""OpenMetrics allows 128 characters of names and values."""


def exemplar(ticket: str, value: float) -> Exemplar:
    """What points from a number to a ticket that it is about, as of now."""
    return Exemplar({"ticket": ticket[:_EXEMPLAR]}, value, time.time())


class Count:
    """One series of a counter. Whoever counts adds to ``value``."""

    __slots__ = ("exemplar", "value")

    def __init__(self) -> None:
        self.value = 0
        self.exemplar: Exemplar | None = None


class Spread:
    """One series of a histogram: how many values lie up to each bound and above the one before, and their sum."""

    __slots__ = ("_bounds", "counts", "exemplars", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds: Final = bounds
        self.counts: Final = [0] * (len(bounds) + 1)
        """One more than bounds: the last is of what lies above all of them."""
        self.sum = 0.0
        self.exemplars: dict[int, Exemplar] = {}
        """By the bucket's place in ``counts``."""

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def observe_of(self, ticket: str, value: float) -> None:
        """Observe a value and keep the ticket as its bucket's exemplar."""
        self.observe(value)
        self.exemplars[bisect_left(self._bounds, value)] = exemplar(ticket, value)
