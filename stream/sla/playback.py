"""Many tickets in event time: the engine over a recorded feed, where the feed is the clock.

The watermark is the newest instant the feed has shown. Deadlines before it become true when it passes them, so the outcome is
a function of the feed alone: the same from run to run, and the same as a worker's whose clock is the feed.
"""

from __future__ import annotations

from collections import Counter
from heapq import heappop, heappush
from operator import itemgetter
from typing import TYPE_CHECKING

from stream.sla.effects import feed_cause
from stream.sla.events import ERASURE
from stream.sla.feed_health import LIMIT, Feeds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.sla.effects import Effect
    from stream.sla.engine import Engine
    from stream.sla.events import Event
    from stream.sla.feed_state import FeedState
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.step import Outcome, Step
    from stream.sla.ticket.state import State


_ticket = itemgetter(0)


class Playback:
    """The tickets of one feed. Instants are epoch microseconds."""

    def __init__(self, engine: Engine, feed_lag_limit: int = LIMIT) -> None:
        """``feed_lag_limit``: how old the completeness of a watched source may be, in microseconds."""
        self.engine = engine
        self.feeds: Feeds[str] = Feeds(feed_lag_limit)
        self.states: dict[str, State] = {}
        self.watermark: int | None = None
        self.outcomes: Counter[Outcome] = Counter()
        self._wakes: list[tuple[int, str]] = []
        self._deployed: set[int] = {deployment.at for deployment in engine.deployments.timeline.deployments[1:]}
        """The instants at which every ticket meets another set of policies."""

    def deploy(self, at: int, policies: PolicySet) -> None:
        """Another set of policies becomes known. It holds from ``at``: now, or earlier where it undoes or rejudges."""
        deployments = self.engine.deployments
        self.engine.deployments = deployments.add(deployments.timeline.last.number + 1, at, policies)
        self._deployed.add(at)
        for ticket in self.states:
            heappush(self._wakes, (at + 1, ticket))

    def event(self, ticket: str, event: Event) -> Iterator[Effect]:
        """Take one event; what it makes true, and then what the passing of time to it makes true, comes out in that order."""
        yield from self.apply(ticket, event).effects
        if event.type != ERASURE:
            yield from self.tick(event.at)

    def tick(self, at: int, source: str = "", state: FeedState | None = None) -> Iterator[Effect]:
        """The feed is complete up to ``at``: let time pass to it. An earlier instant than the watermark lets no time pass.

        ``source`` and ``state``: whose feed it is, and how that feed stands; a state confirms what waits for the feed.
        """
        watched = source != "" and self.state_feed(source, at, state)
        for _, _, effects in self.wakes(at):
            yield from effects
        if watched:
            for _, effects in self.confirmations():
                yield from effects

    def apply(self, ticket: str, event: Event) -> Step:
        """Take one event, no time passing but for its own ticket: ``wakes`` is to follow."""
        at, before = event.at, self.states.get(ticket)
        now = at if self.watermark is None or self.watermark < at else self.watermark
        if self.feeds.watched:
            self._find_stale(now)
        step = self.engine.apply(before, ticket, event, now)
        self.outcomes[step.outcome] += 1
        self._keep(ticket, before, step)
        if before is None:
            for deployed in self._deployed:
                if at < deployed:
                    heappush(self._wakes, (deployed + 1, ticket))
        return step

    def wakes(self, at: int) -> list[tuple[int, str, tuple[Effect, ...]]]:
        """As ``tick``; of each ticket that is woken, in this order: for which instant, which ticket, and its effects."""
        woken: list[tuple[int, str, tuple[Effect, ...]]] = []
        if self.watermark is not None and at < self.watermark:
            return woken
        self.watermark = at
        if self.feeds.watched:
            self._find_stale(at)
        while self._wakes and self._wakes[0][0] <= at:
            wake_at, ticket = heappop(self._wakes)
            state = self.states[ticket]
            if state.wake_at == wake_at or wake_at - 1 in self._deployed:  # else an event has moved it since
                step = self.engine.wake(state, at)
                self._keep(ticket, state, step)
                woken.append((wake_at, ticket, step.effects))
        return woken

    def state_feed(self, source: str, at: int, state: FeedState | None) -> bool:
        """The feed of a source is complete up to ``at``; no time passes. Return whether ``confirmations`` are to follow."""
        watched = self.feeds.tick(source, at, state, at)
        if watched:
            self._find_stale(max(at, self.watermark or at))
        return watched

    def confirmations(self) -> list[tuple[str, tuple[Effect, ...]]]:
        """The confirmations of effects of tickets whose feeds are complete up to them, in the order of the tickets."""
        found: list[tuple[str, tuple[Effect, ...]]] = []
        while self.feeds.due and (taken := self.feeds.take()) is not None:
            ticket, source = taken
            state = self.states[ticket]
            now = self.watermark or 0
            step = self.engine.confirm(state, now, self.feeds.complete(state), feed_cause(source))
            self._keep(ticket, state, step)
            found.append((ticket, step.effects))
        found.sort(key=_ticket)
        return found

    def _find_stale(self, at: int) -> None:
        """``at``: time has come to this instant."""
        self.engine.stale = self.feeds.stale() if at >= self.feeds.stale_from() else ()

    @property
    def soonest(self) -> int | None:
        """No ticket is to be woken before this instant; ``None``: none at all."""
        return self._wakes[0][0] if self._wakes else None

    def _keep(self, ticket: str, before: State | None, step: Step) -> None:
        self.states[ticket] = step.state
        if step.state.unconfirmed or (before is not None and before.unconfirmed):
            self.feeds.wait(ticket, step.state)
        if step.wake_at is not None and (before is None or before.wake_at != step.wake_at):
            heappush(self._wakes, (step.wake_at, ticket))
