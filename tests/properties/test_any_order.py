"""What is true of a ticket does not depend on the order, the repetition or the timing of its events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.sla.engine import Engine
from stream.sla.step import Outcome
from tests.examples import examples
from tests.properties.consumer import Consumer
from tests.properties.invariants import codec_agrees
from tests.properties.strategies import EVENTS, POLICY_SETS, START
from tests.unit.sla.given import HOUR

if TYPE_CHECKING:
    from stream.sla.event_order import Identity
    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet

HORIZON = START + 3000 * HOUR
Fact = tuple[object, ...]


class FixedPolicyConsumer(Consumer):
    """A consumer of a ticket whose policies never change."""

    def __init__(self, policies: PolicySet) -> None:
        super().__init__(Engine(policies))

    def receive(self, event: Event) -> None:
        assert self.apply(event) not in (Outcome.TOO_LATE, Outcome.CONFLICT)

    def facts(self) -> list[Fact]:
        """All that the effects state, lengths and fields included; not when nor how each was found, nor how often restated."""
        stated = [
            msgspec.structs.replace(effect, id=effect.id.partition(".")[0], detected_at=0, late=False)
            for effect in self.emitted.values()
        ]
        return sorted([msgspec.structs.astuple(effect) for effect in stated], key=str)


def in_order(policies: PolicySet, events: list[Event]) -> list[Fact]:
    consumer = FixedPolicyConsumer(policies)
    for event in sorted(events, key=lambda event: event.key):
        consumer.receive(event)
    consumer.wake(HORIZON)
    return consumer.facts()


@settings(max_examples=examples(300), deadline=None)
@given(POLICY_SETS, EVENTS, st.data())
def test_any_order_any_repetition_and_wake_ups_anywhere_end_in_the_same_facts(
    policies: PolicySet, events: list[Event], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(events))
    repeated = data.draw(st.lists(st.sampled_from(events), max_size=4))
    consumer = FixedPolicyConsumer(policies)
    for event in [*shuffled, *repeated]:
        consumer.receive(event)
        if data.draw(st.booleans()):
            consumer.wake(data.draw(st.integers(START, HORIZON)))
    consumer.wake(HORIZON)

    assert consumer.facts() == in_order(policies, events)


@settings(max_examples=examples(200), deadline=None)
@given(POLICY_SETS, EVENTS, st.data())
def test_events_of_a_source_with_whole_days_and_any_ids_end_in_the_same_facts_in_any_order(
    policies: PolicySet, events: list[Event], data: st.DataObject
) -> None:
    """Many events share an instant, and some an id; no ``seq`` distinguishes the rest."""
    found: dict[Identity, Event] = {}
    for event in events:
        id_ = data.draw(st.sampled_from(["e9", "e10", "e010", "E9", "9", "10", "a1", "f1", "7b-1", "7b-2", event.id]))
        at = START + (event.at - START) // (24 * HOUR) * (24 * HOUR)
        tied = event.replace(id=id_, at=at, seq=0)
        while tied.identity in found:
            tied = tied.replace(seq=tied.seq + 1)
        found[tied.identity] = tied
    ties = list(found.values())
    if data.draw(st.booleans()):
        ties.append(ties[0].replace(id="again"))
    consumer = FixedPolicyConsumer(policies)
    for event in data.draw(st.permutations(ties)):
        consumer.receive(event)
        if data.draw(st.booleans()):
            consumer.wake(data.draw(st.integers(START, HORIZON)))
    consumer.wake(HORIZON)

    assert consumer.facts() == in_order(policies, ties)


@settings(max_examples=examples(150), deadline=None)
@given(POLICY_SETS, EVENTS)
def test_a_wake_up_before_every_event_changes_nothing(policies: PolicySet, events: list[Event]) -> None:
    consumer = FixedPolicyConsumer(policies)
    for event in sorted(events, key=lambda event: event.key):
        consumer.wake(event.at)
        consumer.receive(event)
    consumer.wake(HORIZON)

    assert consumer.facts() == in_order(policies, events)


@settings(max_examples=examples(150), deadline=None)
@given(POLICY_SETS, EVENTS)
def test_the_next_wake_up_is_neither_early_nor_late(policies: PolicySet, events: list[Event]) -> None:
    engine, state = Engine(policies), None
    for event in sorted(events, key=lambda event: event.key):
        state = engine.apply(state, "T", event, event.at).state
    assert state is not None
    while state.wake_at is not None and state.wake_at < HORIZON:
        assert engine.wake(state, state.wake_at - 1).effects == ()
        step = engine.wake(state, state.wake_at)
        assert step.state.wake_at is None or step.state.wake_at > state.wake_at
        state = step.state


@settings(max_examples=examples(150), deadline=None)
@given(POLICY_SETS, EVENTS)
def test_every_state_survives_the_codec_and_a_peek_at_it_shows_what_reading_it_would(
    policies: PolicySet, events: list[Event]
) -> None:
    engine, state = Engine(policies, history=4), None
    for event in sorted(events, key=lambda event: event.key):
        state = engine.apply(state, "T", event, event.at).state
        codec_agrees(state)


@settings(max_examples=examples(100), deadline=None)
@given(POLICY_SETS, EVENTS, st.data())
def test_pausing_in_two_pieces_is_pausing_once(policies: PolicySet, events: list[Event], data: st.DataObject) -> None:
    """An event that sets again what is already so has no meaning, wherever it falls."""
    ordered = sorted(events, key=lambda event: event.key)
    place = data.draw(st.integers(0, len(ordered) - 1))
    fields: dict[str, str | list[str]] = {}
    for event in ordered:
        if event.at <= ordered[place].at:
            fields |= event.fields
    same = ordered[place].replace(id="again", type="ticket.changed", actor=None, public=False, fields=fields, seq=999)

    assert in_order(policies, events) == in_order(policies, [*events, same])
