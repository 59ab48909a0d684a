"""Old events of a ticket: when they arrive decides what is late and when it is published, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.settling import Lateness
from stream.sla.ticket.listing import UNMATCHED, lists_of
from stream.sla.ticket.state import is_deleted, open_commitments
from tests.examples import examples
from tests.properties.consumer import Consumer
from tests.properties.strategies import EVENTS, POLICY_SETS, START
from tests.unit.sla.given import HOUR, MINUTE

if TYPE_CHECKING:
    from stream.sla.effects import Effect
    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet

HORIZON = START + 3000 * HOUR
LATENESS = Lateness(late_after=20 * MINUTE, settling=2 * HOUR)
ON_TIME = 5 * MINUTE


def not_retracted(consumer: Consumer) -> list[tuple[object, ...]]:
    """What the effects state that were not taken back; not when nor how it was found."""
    effects = [
        msgspec.structs.replace(effect, id=effect.id.partition(".")[0], detected_at=0, late=False)
        for effect in consumer.emitted.values()
    ]
    return sorted([msgspec.structs.astuple(effect) for effect in effects], key=str)


def in_order(policies: PolicySet, events: list[Event]) -> list[tuple[object, ...]]:
    consumer = Consumer(Engine(policies))
    for event in sorted(events, key=lambda event: event.key):
        consumer.apply(event)
    consumer.wake(HORIZON)
    return not_retracted(consumer)


class Feed:
    """Events with their arrivals, each at the clock of its arrival; the ticket is woken whenever it is due in between."""

    def __init__(self, engine: Engine) -> None:
        self.consumer = Consumer(engine)
        self.newest = 0
        """When the newest old event arrived."""
        self.clock = START

    def arrive(self, event: Event, arrived: int) -> None:
        self.pass_time(arrived)
        before = len(self.consumer.effects)
        self.consumer.apply(event, arrived)
        if arrived - event.at > LATENESS.late_after:
            self.newest = arrived
            assert len(self.consumer.effects) == before, "an old event makes nothing known at once"

    def pass_time(self, until: int) -> None:
        while (due := self.consumer.wake_at) is not None and due <= until:
            self.wake(due)
        self.clock = until

    def wake(self, now: int) -> None:
        assert self.consumer.state is not None
        state = codec.decode(self.consumer.state)
        assert codec.peek(self.consumer.state) == (
            state.wake_at,
            state.ended,
            open_commitments(state),
            lists_of(state) == UNMATCHED,
            is_deleted(state),
        )
        before = len(self.consumer.effects)
        self.consumer.wake(now)
        for effect in self.consumer.effects[before:]:
            self.check(effect, now)

    def check(self, effect: Effect, now: int) -> None:
        past = self.newest - LATENESS.late_after
        if not effect.late:
            assert effect.at > past, f"past, and published as news: {effect}"
            if effect.at > self.newest and not effect.retracts:
                # At the instant itself where that breaches (`at_deadline: breached`), else right after it.
                assert now - effect.at in (0, 1), f"news that was delayed: {effect}"
        elif self.newest:
            assert effect.at <= now


@settings(max_examples=examples(200), deadline=None)
@given(POLICY_SETS, EVENTS, st.data())
def test_whenever_old_events_arrive_the_effects_that_stand_are_those_of_the_events_in_order(
    policies: PolicySet, events: list[Event], data: st.DataObject
) -> None:
    arrivals = []
    for event in events:
        after = data.draw(st.one_of(st.just(ON_TIME), st.integers(0, 600).map(lambda hours: hours * HOUR), st.just(500 * HOUR)))
        arrivals.append((event.at + after, event))
    feed = Feed(Engine(policies, lateness=LATENESS))
    for arrived, event in sorted(arrivals, key=lambda arrival: (arrival[0], arrival[1].id)):
        feed.arrive(event, arrived)
    feed.pass_time(HORIZON)
    feed.consumer.wake(HORIZON)

    assert not_retracted(feed.consumer) == in_order(policies, events)


@settings(max_examples=examples(100), deadline=None)
@given(POLICY_SETS, EVENTS, st.permutations(range(9)))
def test_a_history_that_arrives_at_once_in_any_order_is_published_once_and_late(
    policies: PolicySet, events: list[Event], order: list[int]
) -> None:
    engine = Engine(policies, lateness=LATENESS)
    consumer, arrived = Consumer(engine), START + 1000 * HOUR
    for number in order:
        if number < len(events):
            consumer.apply(events[number], arrived + number)
    assert consumer.effects == []

    consumer.wake(arrived + len(events) + LATENESS.settling)

    assert all(effect.late for effect in consumer.effects if effect.at <= arrived - LATENESS.late_after)
    assert not any(effect.retracts for effect in consumer.effects)
    consumer.wake(HORIZON)
    assert not_retracted(consumer) == in_order(policies, events)


@settings(max_examples=examples(100), deadline=None)
@given(POLICY_SETS, EVENTS, st.data())
def test_a_ticket_that_is_woken_at_other_instants_settles_to_the_same_effects(
    policies: PolicySet, events: list[Event], data: st.DataObject
) -> None:
    """As after a crash or a takeover: the clock jumps, and a wake-up may come again."""
    arrived = START + data.draw(st.integers(100, 1000)) * HOUR
    found = []
    for _ in range(2):
        consumer = Consumer(Engine(policies, lateness=LATENESS))
        for number, event in enumerate(events):
            consumer.apply(event, arrived + number)
            if data.draw(st.booleans()):
                consumer.wake(data.draw(st.integers(START, arrived + number)))
        consumer.wake(data.draw(st.integers(arrived + LATENESS.settling, arrived + 4 * LATENESS.settling)))
        consumer.wake(HORIZON)
        found.append({(effect.id, effect.late) for effect in consumer.effects})

    assert found[0] == found[1]
