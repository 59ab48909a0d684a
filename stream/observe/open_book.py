"""The book of open commitments: how many stand how, kept up ticket by ticket and read at each scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stream.observe.catalogue import OPEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.metrics_core import Metric

    from stream.observe.open_times import OpenTimes

STATES: Final = ("running", "paused", "breached")


class Entry:
    """One count of the book. All tickets share it: a million open tickets must not hold a million sets of labels."""

    __slots__ = ("count", "labels", "state", "what", "whom")

    def __init__(self, labels: tuple[str, ...], state: str, whom: int, what: int) -> None:
        """``labels``: policy, commitment, priority, team. ``whom``, ``what``: as ``OpenTimes`` numbers them."""
        self.labels: Final = labels
        self.state: Final = state
        self.whom: Final = whom
        self.what: Final = what
        self.count = 0


Line: TypeAlias = tuple[Entry, int | None, int]
"""An open commitment: its entry, its deadline (``None``: not in sight), and when it began, epoch microseconds."""


class OpenBook(Collector):
    """Counts by label set and state. A ticket costs one line for each commitment, a change one step for each."""

    def __init__(self, times: OpenTimes) -> None:
        self._times: Final = times
        self._entries: dict[tuple[str, ...], Entry] = {}
        self._tickets: dict[str, tuple[Line, ...]] = {}

    def entry(self, labels: tuple[str, ...], state: str) -> Entry:
        """The entry for (policy, commitment, priority, team) and a state; shown as 0 until something opens."""
        wanted = (*labels, state)
        entry = self._entries.get(wanted)
        if entry is None:
            policy, commitment, _, team = labels
            entry = self._entries[wanted] = Entry(labels, state, *self._times.numbers(policy, commitment, team))
        return entry

    def foresee(self, labels: tuple[str, ...]) -> None:
        """Show a label set as 0 in every state."""
        for state in STATES:
            self.entry(labels, state)

    def set(self, ticket: str, lines: tuple[Line, ...]) -> int:
        """Replace what was said of a ticket by its open commitments; none forgets it.

        Returns how many more there are than before.
        """
        before = self._tickets.get(ticket, ())
        if before == lines:
            return 0
        note = self._times.note
        for entry, due, began in before:
            entry.count -= 1
            note(entry, due, began, -1)
        for entry, due, began in lines:
            entry.count += 1
            note(entry, due, began, 1)
        if lines:
            self._tickets[ticket] = lines
        else:
            del self._tickets[ticket]
        return len(lines) - len(before)

    def collect(self) -> Iterable[Metric]:
        """The gauge with all its values, as of now. Called by the thread that serves the scrape."""
        family = GaugeMetricFamily(OPEN.name, OPEN.help, labels=OPEN.labels)
        # list() is one step of the interpreter; iterating while the worker adds an entry would raise.
        for entry in list(self._entries.values()):
            family.add_metric((*entry.labels, entry.state), entry.count)
        yield family

    def describe(self) -> Iterator[Metric]:
        """Name the gauge without counting, so that registering twice is noticed."""
        yield GaugeMetricFamily(OPEN.name, OPEN.help, labels=OPEN.labels)
