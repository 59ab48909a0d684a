"""The metrics of the gateway: their names and meanings, and the object that counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, disable_created_metrics

from stream.observe.metrics.families import Spec, counter, gauge, histogram
from stream.sla.events import ERASURE, EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.observe.metrics.series import HistogramSeries

TICK: Final = "feed.tick"

REQUESTS: Final = Spec(
    "sla_gateway_requests_total",
    "counter",
    ("feed", "outcome"),
    "Requests answered. outcome: accepted (all events are in Kafka), skipped (the mapping covers it, and it has no event), "
    "unmapped (a dead letter), unauthentic, unsupported (not JSON in UTF-8), too_large, slow (the body did not come in time), "
    "refused (wrong method or address), unavailable (Kafka did not acknowledge in time: the sender has to repeat it).",
)
UNKNOWN: Final = Spec("sla_gateway_unknown_requests_total", "counter", (), "Requests to an address that is not one of a feed.")
ANSWER_SECONDS: Final = Spec(
    "sla_gateway_answer_seconds",
    "histogram",
    ("feed",),
    "How long answers took once the whole request was there, most of it waiting for Kafka.",
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 2.5),
)
EVENTS: Final = Spec("sla_gateway_events_total", "counter", ("feed", "type"), "Events that are in Kafka.")
REJECTED: Final = Spec(
    "sla_gateway_rejected_payloads_total",
    "counter",
    ("feed", "reason"),
    "Authentic payloads sent to the topic feed-rejected. reason: undecodable (not JSON), unmapped.",
)
LAST_RECEIVED: Final = Spec(
    "sla_gateway_last_received_timestamp_seconds",
    "gauge",
    ("feed",),
    "When the last authentic payload of the feed arrived; 0: none since the start.",
)
NEWEST_EVENT: Final = Spec(
    "sla_gateway_newest_event_timestamp_seconds",
    "gauge",
    ("feed",),
    "The newest event time in the payloads of the feed; 0: none since the start.",
)
ARRIVAL_AGE: Final = Spec(
    "sla_gateway_arrival_age_seconds",
    "histogram",
    ("feed",),
    "How old events were when they arrived. An event from the future counts as 0.",
    (0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600, 86_400),
)
CONNECTED: Final = Spec("sla_gateway_connected", "gauge", (), "1 if a broker has answered lately, else 0.")
GATEWAY_CATALOGUE: Final = (
    REQUESTS,
    UNKNOWN,
    ANSWER_SECONDS,
    EVENTS,
    REJECTED,
    LAST_RECEIVED,
    NEWEST_EVENT,
    ARRIVAL_AGE,
    CONNECTED,
)

REJECT_REASONS: Final = ("undecodable", "unmapped")


class GatewayMetrics:
    """All metrics of one gateway, on one registry. Every series of a feed exists from the start."""

    def __init__(self, feeds: Iterable[str], outcomes: Iterable[str]) -> None:
        # For the whole process: `_created` would double the number of series.
        disable_created_metrics()
        self.registry: Final = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        feeds, outcomes = tuple(feeds), tuple(outcomes)
        requests, events = counter(REQUESTS, self.registry), counter(EVENTS, self.registry)
        rejected = counter(REJECTED, self.registry)
        seconds, ages = histogram(ANSWER_SECONDS, self.registry), histogram(ARRIVAL_AGE, self.registry)
        self._unknown = counter(UNKNOWN, self.registry).labels()
        self._requests = {(feed, outcome): requests.labels(feed, outcome) for feed in feeds for outcome in outcomes}
        self._events = {(feed, kind): events.labels(feed, kind) for feed in feeds for kind in (*EVENT_TYPES, ERASURE, TICK)}
        self._rejected = {(feed, reason): rejected.labels(feed, reason) for feed in feeds for reason in REJECT_REASONS}
        self._seconds: dict[str, HistogramSeries] = {feed: seconds.labels(feed) for feed in feeds}
        self._ages: dict[str, HistogramSeries] = {feed: ages.labels(feed) for feed in feeds}
        received, newest = gauge(LAST_RECEIVED, self.registry), gauge(NEWEST_EVENT, self.registry)
        self._received = {feed: received.labels(feed) for feed in feeds}
        self._newest_gauges = {feed: newest.labels(feed) for feed in feeds}
        self._newest = dict.fromkeys(feeds, 0)
        self.connected: Final = gauge(CONNECTED, self.registry)

    def unknown(self) -> None:
        """Count a request to no feed."""
        self._unknown.value += 1

    def answered(self, feed: str, outcome: str, seconds: float) -> None:
        """Count a request, and how long its answer took."""
        self._requests[feed, outcome].value += 1
        self._seconds[feed].observe(seconds)

    def received(self, feed: str, at: int) -> None:
        """Record the arrival of an authentic payload, epoch microseconds."""
        self._received[feed].set(at / 1e6)

    def rejected(self, feed: str, reason: str) -> None:
        """Count a payload that is a dead letter."""
        self._rejected[feed, reason].value += 1

    def event(self, feed: str, kind: str, at: int, received: int) -> None:
        """Count an event in Kafka: its type, when it happened and when it arrived, in epoch microseconds."""
        self._events[feed, kind].value += 1
        self._ages[feed].observe(max(0, received - at) / 1e6)
        if at > self._newest[feed]:
            self._newest[feed] = at
            self._newest_gauges[feed].set(at / 1e6)
