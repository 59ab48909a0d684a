"""After a takeover, what is unconfirmed of a ticket is what the predecessor published as provisional."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from stream.runtime.partition.changes import as_emitted
from stream.sla.effects import Kind, ProvisionalReason
from stream.sla.ticket.history import packed
from stream.sla.ticket.state import State, Ticket
from tests.effects import effect_of

EFFECT = effect_of(Kind.BREACHED, id="0" * 24)
UNCONFIRMED = (EFFECT.at, ProvisionalReason.FEED_SILENT)


def state(unconfirmed: dict[str, Any]) -> State:
    return State(Ticket("desk/1"), packed([]), None, (), {}, None, unconfirmed)


def outputs(emitted: set[bytes], unconfirmed: dict[bytes, Any]) -> Any:
    return SimpleNamespace(emitted_ids=emitted, unconfirmed=unconfirmed)


def test_what_was_published_as_a_fact_is_not_unconfirmed() -> None:
    found = as_emitted(state({EFFECT.id: UNCONFIRMED}), (EFFECT,), outputs({EFFECT.id.encode()}, {}))

    assert found.unconfirmed == {}


def test_what_was_published_as_provisional_is_unconfirmed() -> None:
    emitted = EFFECT.id.encode()

    found = as_emitted(state({}), (EFFECT,), outputs({emitted}, {emitted: UNCONFIRMED}))

    assert found.unconfirmed == {EFFECT.id: UNCONFIRMED}


def test_what_is_taken_back_in_the_same_step_is_not_unconfirmed() -> None:
    emitted, retraction = EFFECT.id.encode(), effect_of(Kind.BREACH_RETRACTED, id="1" * 24, retracts=EFFECT.id)

    for unconfirmed in ({}, {emitted: UNCONFIRMED}):
        found = as_emitted(state({}), (EFFECT, retraction), outputs({emitted}, unconfirmed))

        assert found.unconfirmed == {}


def test_what_was_not_published_stays_as_the_engine_has_it() -> None:
    given = state({EFFECT.id: UNCONFIRMED})

    assert as_emitted(given, (EFFECT,), outputs({b"another"}, {})) is given
