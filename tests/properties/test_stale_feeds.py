"""Whenever a feed is stale and is made complete again: what stands in the end is what the events make true, as facts."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from stream.sla.codec import codec
from stream.sla.effects import ProvisionalReason, feed_cause
from stream.sla.engine import Engine
from stream.sla.events import ERASURE, Event
from stream.sla.unconfirmed import StaleFeed, stem_of
from tests.examples import examples
from tests.properties.consumer import Consumer
from tests.properties.strategies import START
from tests.properties.test_old_events import HORIZON, LATENESS, in_order, not_retracted
from tests.unit.sla.given import HOUR, MINUTE, after, commitment, created, ladder, policy_set, share

if TYPE_CHECKING:
    from stream.sla.ticket.state import State

POLICIES = policy_set(
    commitment("first_response", share(50), p1="3h"),
    commitment("resolution", share(50), p1="12h"),
    ladders=(ladder(("team", after("1h")), on="resolution"),),
)
LIMIT = 2 * HOUR
SOURCE = "s"
LAGGING = ProvisionalReason.FEED_LAGGING


class Feed:
    """One ticket of a source with ticks. Time passes up to each event and tick."""

    def __init__(self, engine: Engine) -> None:
        self.consumer = Consumer(engine)
        self.complete = START
        """The instant up to which the feed is complete."""

    def pass_time(self, until: int) -> None:
        while (due := self.consumer.wake_at) is not None and due <= until:
            self._update_stale(due)
            self.consumer.wake(due)
            self.check()
        self._update_stale(until)

    def arrive(self, event: Event, arrived: int) -> None:
        self.pass_time(arrived)
        self.consumer.apply(event, arrived)
        self.check()

    def tick(self, at: int, now: int) -> None:
        """The feed is complete up to ``at``."""
        self.pass_time(now)
        self.complete = max(self.complete, at)
        self._update_stale(now)
        state = self.state()
        if state is not None and any(instant <= self.complete for instant, _ in state.unconfirmed.values()):
            self.consumer.confirm(now, self.complete, feed_cause(SOURCE))
            self.check()

    def state(self) -> State | None:
        return None if self.consumer.state is None else codec.decode(self.consumer.state)

    def _update_stale(self, now: int) -> None:
        stale = now >= self.complete + LIMIT
        self.consumer.engine.stale = (StaleFeed(SOURCE, self.complete + LIMIT, LAGGING),) if stale else ()

    def check(self) -> None:
        state = self.state()
        assert state is not None
        provisional = {stem_of(name): effect.at for name, effect in self.consumer.emitted.items() if effect.provisional}
        assert {name: at for name, (at, _) in state.unconfirmed.items()} == provisional
        by_id = {effect.id: effect for effect in self.consumer.effects}
        for effect in self.consumer.effects:
            if effect.retracts:
                assert effect.provisional_reason == by_id[effect.retracts].provisional_reason, effect


def _event(random: Random, number: int) -> Event:
    at, id_ = START + random.randint(0, 40) * HOUR // 2, f"e{number}"
    if random.random() < 0.6:
        status = random.choice(["open", "pending", "on_hold", "solved"])
        return Event(at, id_, "ticket.changed", SOURCE, fields={"status": status})
    return Event(at, id_, "comment.added", SOURCE, actor=random.choice(["agent", "customer"]), public=True)


def _happens(random: Random, events: list[Event], *, erased: bool) -> list[tuple[int, int, Event | int]]:
    """Each event with its arrival, ticks with the instant up to which the feed is complete, and an erasure."""
    happens: list[tuple[int, int, Event | int]] = []
    for event in events:
        delay = random.choice([0, 0, 5 * MINUTE, HOUR, 6 * HOUR, 20 * HOUR, 50 * HOUR])
        happens.append((event.at + delay, 1, event))
    for _ in range(random.randint(0, 6)):
        now = START + random.randint(0, 60) * HOUR
        happens.append((now, random.choice([0, 2]), now - random.randint(0, 10) * HOUR))
    if erased:
        at = START + random.randint(0, 70) * HOUR
        happens.append((at, 1, Event(at, "erase", ERASURE, "breachwatch")))
    return sorted(happens, key=lambda happening: happening[:2])


def test_what_was_provisional_ends_as_a_fact_or_is_taken_back_as_provisional() -> None:
    for seed in range(examples(800)):
        random = Random(seed)
        history, erased = random.choice([4, 200]), random.random() < 0.5
        events = [
            created(START).replace(source=SOURCE),
            *[_event(random, number) for number in range(1, random.randint(3, 12))],
        ]
        feed = Feed(Engine(POLICIES, lateness=LATENESS, history=history))
        for now, _, one in _happens(random, events, erased=erased):
            if isinstance(one, int):
                feed.tick(one, now)
            else:
                feed.arrive(one, now)
        feed.tick(HORIZON, HORIZON)
        feed.consumer.wake(HORIZON)

        assert not any(effect.provisional for effect in feed.consumer.emitted.values())
        if not erased and history == 200:
            assert not_retracted(feed.consumer) == in_order(POLICIES, events)
