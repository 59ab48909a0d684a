"""The order of events that share an instant, and when two events are one fact."""

from __future__ import annotations

from itertools import permutations
from random import Random
from typing import Any

import pytest

from stream.sla.effects import Kind
from stream.sla.event_order import follows, order
from stream.sla.events import EVENT_TYPES, Event
from stream.sla.step import Outcome
from tests.unit.sla.given import HOUR, Life, changed, commitment, created, ladder, policy_set, run, used

RESOLUTION = policy_set(commitment("resolution", p1="4h", p2="8h"))


def ids(*found: Event) -> list[str]:
    return [event.id for event in sorted(found, key=lambda event: event.key)]


def event(id_: str, type_: str = "ticket.changed", seq: int = 0, at: int = HOUR, source: str = "test", **more: Any) -> Event:
    return Event(at, id_, type_, source, seq, **more)  # type: ignore[arg-type]


def lasting(life: Life) -> list[str]:
    """``"kind @hours"`` of what was emitted and not taken back."""
    taken_back = {effect.retracts for effect in life.effects}
    left = [effect for effect in life.effects if effect.id not in taken_back and not effect.retracts]
    return sorted(f"{effect.kind.partition('.')[2]} @{effect.at / HOUR:g}h" for effect in left)


def test_the_instant_decides_before_everything_else() -> None:
    assert ids(event("a", seq=0, at=2), event("z", seq=9, at=1)) == ["z", "a"]


def test_a_creation_comes_before_whatever_else_happens_at_its_instant() -> None:
    others = [event(f"a-{type_}", type_) for type_ in EVENT_TYPES if type_ != "ticket.created"]

    assert ids(*others, event("z", "ticket.created", seq=9))[0] == "z"


def test_seq_decides_before_the_type_and_the_id() -> None:
    assert ids(event("a", "ticket.deleted", seq=2), event("b", seq=1), event("c", seq=0)) == ["c", "b", "a"]


@pytest.mark.parametrize("type_", ["ticket.merged", "ticket.deleted", "ticket.restored"])
def test_an_ending_comes_before_what_the_helpdesk_changes_with_it(type_: str) -> None:
    assert ids(event("a", fields={"status": "closed"}), event("b", "comment.added"), event("z", type_)) == ["z", "a", "b"]


@pytest.mark.parametrize(
    "ordered",
    [
        ["9", "10", "11"],
        ["e9", "e10", "e0011", "e100"],
        ["audit-2/1", "audit-2/10", "audit-10/1"],
        ["2026-1-9", "2026-1-10", "2026-2-1"],
        ["7", "a", "a1", "a1b", "a2"],
        ["1", "01", "001"][::-1],
        ["E1", "e1"],
        ["9" * 256, "1" + "0" * 255 + "x"][:1],
    ],
)
def test_numbers_in_ids_are_compared_as_numbers(ordered: list[str]) -> None:
    for shuffled in permutations(ordered[:4]):
        assert ids(*(event(id_) for id_ in shuffled)) == ordered[:4]


def test_ids_of_any_text_can_be_compared() -> None:
    dice = Random(3)
    found = ["".join(dice.choices("aZ09 -_/²٣é\n", k=dice.randrange(1, 9))) for _ in range(300)]

    assert len({event(id_).key for id_ in found}) == len(set(found))
    assert ids(*map(event, found)) == ids(*map(event, reversed(found)))


def test_of_one_id_the_source_decides() -> None:
    one, other = event("1", source="chat"), event("1", source="desk")

    assert sorted([other, one], key=lambda each: each.key) == [one, other]


def test_a_ticket_keeps_of_its_newest_event_what_the_order_needs() -> None:
    found = [event(id_, type_, seq, at) for type_ in EVENT_TYPES for seq in (0, 1) for id_ in ("a9", "a10") for at in (1, 2)]

    for one in found:
        assert order(one.place) == one.key
        for other in found:
            assert follows(one.place, other.place) is (one.key > other.key)


@pytest.mark.parametrize(("creation", "change"), [("f1", "a1"), ("a2", "f2"), ("e10", "e9")])
def test_created_and_closed_in_one_second_in_any_order_of_arrival_breaches_nothing(creation: str, change: str) -> None:
    born = Event(0, creation, "ticket.created", "test", fields={"priority": "p1"})
    closed = Event(0, change, "ticket.changed", "test", fields={"status": "closed"})

    for arrived in permutations([born, closed]):
        life = run(RESOLUTION, *arrived)
        assert lasting(life) == ["met @0h", "started @0h"]


def test_a_merge_and_the_closing_that_comes_with_it_cancel_in_any_order_of_arrival() -> None:
    merged = Event(HOUR, "z", "ticket.merged", "test", into="U")
    closed = Event(HOUR, "a", "ticket.changed", "test", fields={"status": "closed"})

    for arrived in permutations([created(0), merged, closed]):
        assert lasting(run(RESOLUTION, *arrived)) == ["cancelled @1h", "started @0h"]


def test_two_facts_of_one_action_under_one_id_are_both_taken_where_seq_distinguishes_them() -> None:
    life = Life(RESOLUTION).event(created(0))
    life.event(Event(HOUR, "audit-1", "ticket.changed", "test", 0, fields={"status": "pending"}))
    life.event(Event(HOUR, "audit-1", "ticket.changed", "test", 1, fields={"priority": "p2"}))

    assert [step.outcome for step in life.steps] == [Outcome.APPLIED] * 3
    assert life.state is not None
    assert life.state.head.fields == {"priority": "p2", "status": "pending"}


def test_another_fact_under_a_known_id_and_seq_is_a_conflict_and_changes_nothing() -> None:
    life = Life(RESOLUTION).event(created(0))
    life.event(Event(HOUR, "audit-1", "ticket.changed", "test", fields={"status": "pending"}))
    before = life.state
    for other in (
        Event(HOUR, "audit-1", "ticket.changed", "test", fields={"status": "open"}),
        Event(HOUR, "audit-1", "ticket.changed", "test", fields={"status": "pending", "priority": "p2"}),
        Event(HOUR, "audit-1", "comment.added", "test", actor="agent", public=True),
        Event(HOUR, "audit-1", "ticket.changed", "test", actor="agent", fields={"status": "pending"}),
    ):
        life.event(other)
        assert life.steps[-1].outcome is Outcome.CONFLICT
        assert (life.steps[-1].effects, life.state) == ((), before)


def test_a_repetition_that_states_less_or_another_time_is_a_repetition() -> None:
    life = Life(RESOLUTION)
    life.event(Event(0, "audit-1", "ticket.created", "test", actor="agent", fields={"status": "open", "priority": "p1"}))
    for again in (
        Event(0, "audit-1", "ticket.created", "test", fields={"priority": "p1"}),
        Event(0, "audit-1", "ticket.created", "test", fields={"status": "new"}),  # the default of the contract
        Event(HOUR, "audit-1", "ticket.created", "test", actor="agent", fields={"status": "open", "priority": "p1"}),
    ):
        assert life.event(again).steps[-1].outcome is Outcome.DUPLICATE


@pytest.mark.parametrize("other", ["E1", "e1 ", " e1", "e01", "é1"])
def test_ids_are_compared_byte_by_byte(other: str) -> None:
    life = Life(RESOLUTION).event(created(0)).event(event("e1", fields={"team": "a"}))

    assert life.event(event(other, fields={"team": "b"})).steps[-1].outcome is not Outcome.CONFLICT
    assert life.event(event("e1", source="Test", fields={"team": "c"})).steps[-1].outcome is not Outcome.CONFLICT


def test_beyond_the_history_a_repetition_is_known_by_its_identity_and_a_later_fact_of_that_name_is_a_conflict() -> None:
    life = Life(RESOLUTION, history=2).event(created(0))
    action = [Event(HOUR, "audit-1", "ticket.changed", "test", seq, fields={"team": str(seq)}) for seq in (0, 1)]
    for one in action:
        life.event(one)
    for hour in (2, 3, 4):
        life.event(changed(hour * HOUR, team=f"t{hour}"))
    assert life.state is not None
    assert life.state.base is not None

    for one in action:
        assert life.event(one).steps[-1].outcome is Outcome.DUPLICATE
    assert life.event(event("audit-1", seq=2)).steps[-1].outcome is Outcome.TOO_LATE
    assert life.event(event("audit-1", seq=1, at=9 * HOUR, fields={"team": "x"})).steps[-1].outcome is Outcome.CONFLICT


def test_what_is_refused_twice_by_one_action_is_two_effects() -> None:
    asks = [Event(HOUR, "audit-1", "escalation.requested", "test", seq, level=f"{seq}") for seq in (0, 1)]
    life = Life(policy_set(commitment(), ladders=(ladder(("lead", used("2h"))),))).event(created(0))
    for one in asks:
        life.event(one)
    life.event(Event(2 * HOUR, "audit-2", "extension.granted", "test", 0, commitment="resolution", by="1h"))
    life.event(Event(2 * HOUR, "audit-2", "extension.granted", "test", 1, commitment="resolution", by="1h"))

    refused = [effect for effect in life.effects if effect.kind in (Kind.REFUSED, Kind.EXTENSION_REFUSED)]
    assert len(refused) == len({effect.id for effect in refused}) == 4
