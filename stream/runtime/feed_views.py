"""The feeds of a worker's sources, over all of its partitions: for gauges and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stream.observe.pages.views import FeedView
from stream.sla.feed_health import MOST_SOURCES
from stream.sla.feed_state import FeedState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stream.runtime.partition.shard import Shard
    from stream.sla.feed_health import Feed


class FeedHealth(NamedTuple):
    """A source. Instants are epoch microseconds."""

    received: int | None
    """Its newest event; ``None``: none came."""
    feed: Feed | None
    """As the live partition knows it that has read the least of its ticks; ``None``: it is not watched."""
    waiting: int
    """Tickets that wait for it."""


def feed_health(shards: Iterable[Shard]) -> dict[str, FeedHealth]:
    """By source, in the order of their names; no more than a partition may know of. May be called from any thread."""
    received: dict[str, int] = {}
    feeds: dict[str, Feed] = {}
    waiting: dict[str, int] = {}
    for shard in shards:
        for source, at in shard.feeds.received.copy().items():
            received[source] = max(at, received.get(source, at))
        if shard.live:
            for source, feed in shard.feeds.watched.copy().items():
                if source not in feeds or feed.complete < feeds[source].complete:
                    feeds[source] = feed
        for source, count in shard.feeds.waiting().items():
            waiting[source] = waiting.get(source, 0) + count
    names = sorted(received.keys() | feeds.keys(), key=lambda source: (source not in feeds, source))[:MOST_SOURCES]
    return {source: FeedHealth(received.get(source), feeds.get(source), waiting.get(source, 0)) for source in sorted(names)}


def feed_views(health: Mapping[str, FeedHealth], now: int, lag_limit: int) -> tuple[FeedView, ...]:
    """The state of feeds for the page of a worker. ``now``: the clock for deadlines; ``lag_limit``: the setting; both in
    microseconds."""
    return tuple([_view(source, one, now, lag_limit) for source, one in health.items()])


def _view(source: str, health: FeedHealth, now: int, lag_limit: int) -> FeedView:
    feed = health.feed
    if feed is None:
        return FeedView(source, health.received, None, "", stale=False, waiting=health.waiting)
    stale = now - feed.complete > lag_limit
    state = "silent" if stale and feed.state is FeedState.COMPLETE else feed.state.value
    return FeedView(source, health.received, feed.complete, state, stale, health.waiting)
