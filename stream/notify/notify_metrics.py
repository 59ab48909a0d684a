"""Counts what becomes of messages. ``stream.observe.metrics.notify_catalogue`` has the meaning of each metric."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from stream.notify.decision import Skipped
from stream.notify.message import Status
from stream.observe.metrics.families import counter, gauge
from stream.observe.metrics.labels import EXTRA_NAMES, BoundedLabel
from stream.observe.metrics.notify_catalogue import (
    FAILED,
    FAILING,
    GIVEN_UP,
    LAG,
    OLDEST,
    REMEMBERED,
    SENT,
    SKIPPED,
    UNHELD,
    UNREADABLE,
    WAITING,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HISTORY: Final = "history"
"""Reason for leaving an effect out: it was published too long ago."""
_REASONS: Final = (*(reason.value for reason in Skipped if reason is not Skipped.NO_ROUTE), HISTORY)


class NotifyMetrics:
    """The metrics of a process. The label sets of all destinations exist from the start."""

    def __init__(self, destinations: Iterable[str], holders: Iterable[str], remembered: Callable[[], int]) -> None:
        self.registry: Final = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._sent: Final = counter(SENT, self.registry)
        self._failed: Final = counter(FAILED, self.registry)
        self._given_up: Final = counter(GIVEN_UP, self.registry)
        self._skipped: Final = counter(SKIPPED, self.registry)
        self._waiting: Final = gauge(WAITING, self.registry)
        self._oldest: Final = gauge(OLDEST, self.registry)
        self._failing: Final = gauge(FAILING, self.registry)
        self._lag: Final = gauge(LAG, self.registry)
        self._unheld: Final = counter(UNHELD, self.registry)
        self._unreadable: Final = counter(UNREADABLE, self.registry).labels()
        gauge(REMEMBERED, self.registry).set_function(remembered)
        self._roles: Final = BoundedLabel(holders, EXTRA_NAMES)
        self.of: Final = {name: DestinationMetrics(self, name) for name in destinations}

    def unheld(self, role: str) -> None:
        self._unheld.labels(self._roles.label(role)).value += 1

    def unreadable(self) -> None:
        self._unreadable.value += 1


class DestinationMetrics:
    """The metrics of one destination."""

    def __init__(self, metrics: NotifyMetrics, name: str) -> None:
        self._sent: Final = {status: metrics._sent.labels(name, status) for status in Status}
        self._skipped: Final = {reason: metrics._skipped.labels(name, reason) for reason in _REASONS}
        self._failed: Final = metrics._failed.labels(name)
        self._given_up: Final = metrics._given_up.labels(name)
        self._waiting: Final = metrics._waiting.labels(name)
        self._oldest: Final = metrics._oldest.labels(name)
        self._failing: Final = metrics._failing.labels(name)
        self._lag: Final = metrics._lag.labels(name)

    def sent(self, statuses: Iterable[Status]) -> None:
        for status, count in Counter(statuses).items():
            self._sent[status].value += count

    def failed(self) -> None:
        self._failed.value += 1

    def gave_up(self, messages: int) -> None:
        self._given_up.value += messages

    def skipped(self, reasons: Iterable[str]) -> None:
        """Reasons without a series, such as that no route leads there, are not counted."""
        for reason in reasons:
            if reason in self._skipped:
                self._skipped[reason].value += 1

    def state(self, waiting: int, oldest: int | None, failing_since: int | None, lag: int) -> None:
        """Instants are epoch microseconds."""
        self._waiting.set(waiting)
        self._oldest.set(0 if oldest is None else oldest / 1e6)
        self._failing.set(0 if failing_since is None else failing_since / 1e6)
        self._lag.set(lag)
