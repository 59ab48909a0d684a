"""What a worker knows of the feeds of its sources, over all of its partitions: for gauges and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stream.sla.feed_health import MOST_SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable

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
