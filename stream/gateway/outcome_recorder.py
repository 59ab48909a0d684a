"""Records what became of requests: in the metrics, and in the last outcomes of each feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.gateway.outcomes import Outcome, RecentOutcomes
from stream.observe.metrics.gateway_metrics import TICK, GatewayMetrics
from stream.wire.decode import Tick, read
from stream.wire.incoming import Incoming

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.gateway.outcomes import Entry


class OutcomeRecorder:
    """The outcomes of the requests to some feeds."""

    def __init__(self, feeds: Iterable[str]) -> None:
        feeds = tuple(feeds)
        self.metrics: Final = GatewayMetrics(feeds, [outcome.value for outcome in Outcome])
        self.recent: Final = RecentOutcomes(feeds)

    def unknown(self) -> None:
        """A request to no feed."""
        self.metrics.unknown()

    def received(self, feed: str, at: int) -> None:
        """An authentic payload arrived, epoch microseconds."""
        self.metrics.received(feed, at)

    def events(self, feed: str, values: Iterable[bytes], received: int) -> None:
        """Events that arrived at ``received`` are in Kafka. Each value is one that ``stream.wire.decode`` accepts."""
        for value in values:
            decoded = read(value)
            if isinstance(decoded, Tick):
                self.metrics.event(feed, TICK, decoded.at, received)
            elif isinstance(decoded, Incoming):
                self.metrics.event(feed, decoded.event.type, decoded.event.at, received)

    def rejected(self, feed: str, reason: str) -> None:
        """A payload is on the topic of dead letters."""
        self.metrics.rejected(feed, reason)

    def answered(self, feed: str, entry: Entry) -> None:
        """A request was answered."""
        self.metrics.answered(feed, entry.outcome, entry.micros / 1e6)
        self.recent.add(feed, entry)
