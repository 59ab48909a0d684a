"""Wherever a ticket is erased in its life, nothing of it is left, nothing brings it back, and what was emitted stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.erasure import is_erased
from stream.sla.events import ERASURE, Event
from stream.sla.step import Outcome
from stream.sla.ticket.state import open_commitments
from stream.wire.effect import encode_effect
from tests.examples import examples
from tests.properties.consumer import Consumer
from tests.properties.strategies import EVENTS, POLICY_SETS, START
from tests.unit.sla.given import HOUR

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet

PERSON = "Ada Lovelace"
HORIZON = START + 3000 * HOUR


def about_a_person(event: Event) -> Event:
    """The event with a name in a field that is kept."""
    if event.type not in ("ticket.created", "ticket.changed"):
        return event
    return event.with_fields({**event.fields, "assignee": PERSON})


@settings(max_examples=examples(150), deadline=None)
@given(POLICY_SETS, EVENTS, st.data())
def test_an_erasure_anywhere_leaves_a_name_and_ends_the_ticket_for_good(
    policies: PolicySet, events: list[Event], data: st.DataObject
) -> None:
    consumer = Consumer(Engine(policies, history=data.draw(st.sampled_from([4, 200]))))
    arrived = [about_a_person(event) for event in data.draw(st.permutations(events))]
    place = data.draw(st.integers(0, len(arrived)))
    for event in arrived[:place]:
        consumer.apply(event)
        if data.draw(st.booleans()):
            consumer.wake(event.at + data.draw(st.sampled_from([1, HOUR, 100 * HOUR])))
    before = {name for name, effect in consumer.emitted.items() if effect.kind == "commitment.breached"}
    number = len(consumer.effects)

    consumer.apply(Event(START + data.draw(st.integers(0, 500)) * HOUR, "erase", ERASURE, "breachwatch"))

    assert before <= consumer.emitted.keys()
    assert not any(PERSON.encode() in encode_effect(effect) for effect in consumer.effects[number:])
    number = len(consumer.effects)
    for event in [*arrived[place:], *arrived]:
        assert consumer.apply(event) is Outcome.ERASED
    consumer.wake(HORIZON)
    assert len(consumer.effects) == number
    assert consumer.state is not None
    state = codec.decode(consumer.state)
    assert is_erased(state.head)
    assert open_commitments(state) == []
    assert state.history == []
    assert len(consumer.state) < 150
