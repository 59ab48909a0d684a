"""The sources of a partition: up to when each is complete, how it stands, and which tickets wait for it.

A source is *watched* from its first tick with a state on, until it has ended. A watched source is *stale* for an instant if it
is complete only up to more than the limit before it. Tickets that have unconfirmed effects wait until all of their watched
sources are complete up to the instants of these effects; each waits for one source at a time (``stream.sla.unconfirmed``).

The number of sources is bounded: the ticks of others move the clock, and nothing else.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

from stream.sla.effects import ProvisionalReason
from stream.sla.feed_state import FeedState
from stream.sla.policy.timeline import NEVER
from stream.sla.unconfirmed import Stale, StaleFeed, sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.sla.ticket.state import State

MOST_SOURCES: Final = 64
LIMIT: Final = 300_000_000
"""The default limit on the age of a watched source's completeness: microseconds."""

REASONS: Final = {
    FeedState.COMPLETE: ProvisionalReason.FEED_SILENT,
    FeedState.LAGGING: ProvisionalReason.FEED_LAGGING,
    FeedState.UNREACHABLE: ProvisionalReason.FEED_UNREACHABLE,
}
"""Why a source is stale, by the state of its newest tick. A feed that was complete and is not any more has lost its ticks."""

Key = TypeVar("Key", str, bytes)


class Feed(msgspec.Struct, frozen=True):
    """A watched source."""

    complete: int
    """Every event up to this instant has been published (epoch microseconds)."""
    state: FeedState
    since: int
    """The time at which the source was first known to be in this state: the clock, epoch microseconds."""


class Feeds(Generic[Key]):
    """The sources of one partition, and the tickets that wait for them. Instants are epoch microseconds."""

    def __init__(
        self, limit: int = LIMIT, watched: Mapping[str, Feed] | None = None, received: Mapping[str, int] | None = None
    ) -> None:
        self.limit: Final = limit
        self.watched: Final[dict[str, Feed]] = dict(watched or {})
        self.received: Final[dict[str, int]] = dict(received or {})
        """The newest event of each source; bounded."""
        self.due = False
        """A ticket may have ceased to wait: ``take``."""
        self._waiting: Final[dict[Key, tuple[str, int]]] = {}
        """Ticket to the source for which it waits, and to the first instant up to which it must be complete."""
        self._queues: Final[dict[str, list[tuple[int, Key]]]] = {}
        """By source, a heap. An entry that ``_waiting`` does not have is outdated."""

    def __len__(self) -> int:
        """The number of tickets that wait."""
        return len(self._waiting)

    def event(self, source: str, at: int) -> None:
        """An event of a source was received."""
        if at > self.received.get(source, -1) and (source in self.received or len(self.received) < MOST_SOURCES):
            self.received[source] = at

    def tick(self, source: str, at: int, state: FeedState | None, clock: int) -> bool:
        """The source is complete up to ``at``. Return whether it is watched, or was until now.

        A tick without a state is of a publisher that cannot know how the feed stands: it begins nothing.
        """
        known = self.watched.get(source)
        if state is FeedState.ENDED:
            self.watched.pop(source, None)
        elif known is not None:
            state = state or known.state
            since = known.since if state is known.state else clock
            self.watched[source] = Feed(max(at, known.complete), state, since)
        elif state is None or len(self.watched) >= MOST_SOURCES:
            return False
        else:
            self.watched[source] = Feed(at, state, clock)
        self.due = self.due or bool(self._queues)
        return known is not None or source in self.watched

    def stale_from(self) -> int:
        """No source is stale for an instant before this one; ``NEVER``: none is for any."""
        return min([feed.complete for feed in self.watched.values()], default=NEVER - self.limit) + self.limit

    def stale(self) -> Stale:
        """Each watched source, with the instant from which on it is stale."""
        return tuple(
            [StaleFeed(source, feed.complete + self.limit, REASONS[feed.state]) for source, feed in self.watched.items()]
        )

    def complete(self, state: State) -> int:
        """The instant up to which all watched sources of a ticket are complete; ``NEVER``: none of them is watched."""
        watched = self.watched
        return min([watched[source].complete for source in sources(state) if source in watched], default=NEVER)

    def wait(self, key: Key, state: State) -> None:
        """Note for which source a ticket waits, if it has unconfirmed effects."""
        if not state.unconfirmed:
            self.forget(key)
            return
        first = min([at for at, _ in state.unconfirmed.values()])
        watched = self.watched
        # Where none is watched, whatever source it is: the ticket waits for nothing, and is taken at once.
        source = min(sources(state), key=lambda one: (watched[one].complete if one in watched else NEVER, one))
        if self._waiting.get(key) != (source, first):
            self._waiting[key] = source, first
            queue = self._queues.setdefault(source, [])
            heappush(queue, (first, key))
            if len(queue) > 2 * len(self._waiting) + 100:
                queue[:] = [(at, one) for one, (its_source, at) in self._waiting.items() if its_source == source]
                heapify(queue)
        if source not in watched or first <= watched[source].complete:
            self.due = True

    def waits_for(self, key: Key) -> int | None:
        """The first instant for which a ticket waits; ``None``: it does not wait."""
        return self._waiting[key][1] if key in self._waiting else None

    def forget(self, key: Key) -> None:
        """A ticket no longer waits."""
        self._waiting.pop(key, None)

    def take(self) -> tuple[Key, str] | None:
        """A ticket that may have ceased to wait, with the source that let it go; ``None``: there is none.

        It is taken out. Whoever takes it confirms what is complete, and calls ``wait``.
        """
        for source in list(self._queues):
            feed, queue = self.watched.get(source), self._queues[source]
            while queue and (feed is None or queue[0][0] <= feed.complete):
                at, key = heappop(queue)
                if self._waiting.get(key) == (source, at):
                    del self._waiting[key]
                    return key, source
            if not queue:
                del self._queues[source]
        self.due = False
        return None

    def waiting(self) -> dict[str, int]:
        """The number of tickets that wait for each watched source."""
        counts = dict.fromkeys(self.watched, 0)
        for source, _ in list(self._waiting.values()):
            if source in counts:
                counts[source] += 1
        return counts
