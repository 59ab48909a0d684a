"""What a helpdesk is given does not depend on the order in which events arrive, and is what the state of the ticket has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.ticket.state import open_commitments
from stream.writeback.record import TicketRecord
from stream.writeback.values import Name, values
from tests.examples import examples
from tests.properties.consumer import Consumer
from tests.properties.strategies import EVENTS, POLICY_SETS, START
from tests.unit.sla.given import HOUR

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet

HORIZON = START + 3000 * HOUR
OF_THE_NEWEST = (Name.EFFECT, Name.POLICY)
"""Values that are of the effect that came last."""


def consumed(policies: PolicySet, events: list[Event], until: int) -> Consumer:
    consumer = Consumer(Engine(policies))
    for event in events:
        consumer.apply(event)
    consumer.wake(until)
    return consumer


def written(consumer: Consumer) -> dict[Name, Any]:
    record = TicketRecord()
    for offset, effect in enumerate(consumer.effects):
        record.take(effect, "out/0", offset)
    return {name: value for name, value in values(record).items() if name not in OF_THE_NEWEST}


@settings(max_examples=examples(40), deadline=None)
@given(POLICY_SETS, EVENTS, st.data())
def test_any_order_of_events_ends_in_the_same_values(policies: PolicySet, events: list[Event], data: st.DataObject) -> None:
    until = data.draw(st.integers(START, HORIZON))
    shuffled = consumed(policies, data.draw(st.permutations(events)), until)

    assert written(shuffled) == written(consumed(policies, sorted(events, key=lambda event: event.key), until))


@settings(max_examples=examples(40), deadline=None)
@given(POLICY_SETS, EVENTS, st.integers(START, HORIZON))
def test_the_next_deadline_is_that_of_the_state(policies: PolicySet, events: list[Event], until: int) -> None:
    consumer = consumed(policies, sorted(events, key=lambda event: event.key), until)
    assert consumer.state is not None
    found = written(consumer)

    state = list(open_commitments(codec.decode(consumer.state)))
    dues = [each.due_at for each in state if each.due_at is not None and each.state != "breached"]
    assert found[Name.DUE] == min(dues, default=None)
