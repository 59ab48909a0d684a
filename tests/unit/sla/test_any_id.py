"""Two facts, and two events, are never taken for one, whatever characters the ids of a source have."""

from __future__ import annotations

import pytest

from stream.sla.effect_ids import stem
from stream.sla.effects import Kind
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.step import Outcome
from tests.unit.sla.given import HOUR, commitment, policy_set

OCCASION = ("resolution", 1, 0)


def _paused(*pauses: tuple[str, int]) -> list[str]:
    """Ids of the pauses of a ticket that each of these events pauses: id and seq."""
    engine = Engine(policy_set(commitment("resolution", p1="90h")))
    step = engine.apply(None, "desk/42", Event(0, "c", "ticket.created", "desk", fields={"priority": "p1"}), 0)
    found = []
    for number, (id_, seq) in enumerate(pauses, 1):
        for status, name in (("pending", id_), ("open", f"o{number}")):
            at = number * HOUR + (status == "open")
            event = Event(at, name, "ticket.changed", "desk", seq, fields={"status": status})
            step = engine.apply(step.state, "desk/42", event, at)
            found += [effect.id for effect in step.effects if effect.kind is Kind.PAUSED]
    return found


@pytest.mark.parametrize(
    ("one", "other"), [(("7", 1), ("7", 2)), (("7\x1f1", 0), ("7", 1)), (("7\x1f1", 2), ("7", 1)), (("\x1f37", 0), ("7", 0))]
)
def test_two_pauses_of_a_ticket_have_two_ids(one: tuple[str, int], other: tuple[str, int]) -> None:
    assert len(set(_paused(one, other))) == 2


def test_ids_without_a_separator_are_those_that_were_published() -> None:
    assert _paused(("7", 0), ("8", 1)) == [
        stem("desk/42", "resolution", OCCASION, Kind.PAUSED, "", "7"),
        stem("desk/42", "resolution", OCCASION, Kind.PAUSED, "", "8\x1f1"),
    ]
    assert stem("desk/42", "resolution", OCCASION, Kind.PAUSED, "", "8\x1f1") == "2692d640f68e24139eb948c9"


def test_a_ticket_whose_name_has_a_separator_shares_no_id_with_another() -> None:
    """The name of the one and the event of the other have what the id of the other has between them."""
    between = "\x1fresolution\x1fresolution\x1f1\x1fcommitment.paused\x1f\x1f0\x1f"
    one = stem("a", "resolution", OCCASION, Kind.PAUSED, "", f"b{between}c")
    other = stem(f"a{between}b", "resolution", OCCASION, Kind.PAUSED, "", "c")

    assert one != other


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("desk", "7\n1", 0), ("desk", "7", 1)),
        (("desk", "a\nb", 0), ("desk\na", "b", 0)),
        (("desk", "7\n1", 2), ("desk\n7", "1", 2)),
    ],
)
def test_an_event_is_no_conflict_with_another_one_that_left_the_history(
    old: tuple[str, str, int], new: tuple[str, str, int]
) -> None:
    engine = Engine(policy_set(commitment("resolution", p1="90h")), history=2)
    state, events = None, [(0, old), *[(number * HOUR, ("desk", f"e{number}", 0)) for number in range(1, 5)], (9 * HOUR, new)]
    outcomes = []
    for at, (source, id_, seq) in events:
        step = engine.apply(state, "desk/42", Event(at, id_, "ticket.changed", source, seq, fields={"status": "open"}), at)
        state = step.state
        outcomes.append(step.outcome)

    assert outcomes == [Outcome.APPLIED] * 6
    assert state is not None
    assert len(state.old_ids) > 2
