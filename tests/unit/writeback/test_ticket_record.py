"""What the effects of a ticket state, taken together, and what a helpdesk can be given of it."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from stream.sla.effects import KINDS, Effect, Kind
from stream.writeback.record import ENDS, MOST_CYCLES, MOST_FACTS, NO_FACTS, OVERRULED, TicketRecord, decode, encode
from stream.writeback.values import Name, values
from tests.effects import effect_of

HOUR = 3_600_000_000
LASTING = {
    Kind.STARTED,
    Kind.BREACHED,
    Kind.RETARGETED,
    Kind.RAISED,
    Kind.ACKNOWLEDGED,
    Kind.MONITORING,
    Kind.RECURRED,
}
"""Kinds of effect that end no cycle, and that no later effect overrules. A new kind needs a decision."""


def of(commitment: str, kind: Kind, at: int, due: int | None = None, **fields: Any) -> Effect:
    id_ = fields.pop("id", f"{commitment}-{kind}-{at}-{fields.get('cycle', 1)}")
    return effect_of(kind, id=id_, commitment=commitment, at=at, due_at=due, **fields)


def raised(level: str, at: int, **fields: Any) -> Effect:
    return effect_of(Kind.RAISED, id=f"{level}-{at}", ladder="ladder", level=level, at=at, **fields)


def taken_back(effect: Effect) -> Effect:
    kind = Kind.BREACH_RETRACTED if effect.kind is Kind.BREACHED else Kind.RETRACTED
    kind = Kind.ESCALATION_RETRACTED if effect.ladder else kind
    return effect_of(kind, id=f"not-{effect.id}", at=effect.at, retracts=effect.id, retracts_kind=effect.kind)


def record(*effects: Effect) -> TicketRecord:
    found = TicketRecord()
    for offset, effect in enumerate(effects):
        assert found.take(effect, "out/0", offset)
    return found


def test_every_kind_of_effect_is_a_fact_of_one_sort_or_none_or_takes_one_back() -> None:
    sorts = [ENDS, NO_FACTS, OVERRULED, LASTING, {kind for kind, row in KINDS.items() if row.retracted_by is None}]

    assert sorted(kind for sort in sorts for kind in sort) == sorted(Kind)


def value(name: Name, *effects: Effect) -> Any:
    return values(record(*effects))[name]


RESPONSE = of("first_response", Kind.STARTED, 0, 1 * HOUR)
RESOLUTION = of("resolution", Kind.STARTED, 0, 4 * HOUR)
BREACH = of("first_response", Kind.BREACHED, 1 * HOUR, 1 * HOUR)


def test_the_next_deadline_is_that_of_a_commitment_that_is_open_and_not_breached() -> None:
    assert value(Name.DUE, RESPONSE, RESOLUTION) == 1 * HOUR
    assert value(Name.COMMITMENT, RESPONSE, RESOLUTION) == "first_response"
    assert value(Name.DUE, RESPONSE, RESOLUTION, BREACH) == 4 * HOUR
    assert value(Name.DUE, RESPONSE, of("first_response", Kind.MET, 5)) is None
    assert value(Name.DUE, RESPONSE, of("first_response", Kind.RETARGETED, 5, 9 * HOUR)) == 9 * HOUR


def test_while_a_clock_is_paused_its_deadline_is_not_known() -> None:
    paused, resumed = of("resolution", Kind.PAUSED, 1), of("resolution", Kind.RESUMED, 2, 5 * HOUR)

    assert (value(Name.DUE, RESOLUTION, paused), value(Name.STATE, RESOLUTION, paused)) == (None, "paused")
    assert (value(Name.DUE, RESOLUTION, paused, resumed), value(Name.STATE, RESOLUTION, paused, resumed)) == (
        5 * HOUR,
        "running",
    )


@pytest.mark.parametrize(
    ("effects", "state"),
    [
        ((), "none"),
        ((RESPONSE,), "running"),
        ((RESPONSE, of("first_response", Kind.WARNED, 5, 1 * HOUR)), "warned"),
        ((RESPONSE, RESOLUTION, BREACH), "overdue"),
        ((RESPONSE, BREACH, of("first_response", Kind.MET_LATE, 2 * HOUR)), "none"),
        ((RESPONSE, of("first_response", Kind.CANCELLED, 5)), "none"),
    ],
)
def test_the_state_is_that_of_the_worst_open_commitment(effects: tuple[Effect, ...], state: str) -> None:
    assert value(Name.STATE, *effects) == state


def test_a_breach_is_remembered_after_a_late_answer_and_not_after_its_retraction() -> None:
    late = (RESPONSE, BREACH, of("first_response", Kind.MET_LATE, 2 * HOUR))

    assert (value(Name.BREACHED, *late), value(Name.OVERDUE, *late)) == (True, False)
    assert value(Name.OVERDUE_SINCE, RESPONSE, BREACH) == 1 * HOUR
    assert (
        value(Name.BREACHED, RESPONSE, BREACH, taken_back(BREACH)),
        value(Name.DUE, RESPONSE, BREACH, taken_back(BREACH)),
    ) == (
        False,
        1 * HOUR,
    )


def test_a_retraction_leaves_the_values_as_if_the_effect_had_never_been() -> None:
    story = (RESPONSE, RESOLUTION, BREACH, raised("lead", 2 * HOUR, assign_to="tier 2"))
    for effect in story:
        rest = [each for each in story if each is not effect]
        without = {**values(record(*rest)), Name.EFFECT: ""}
        assert {**values(record(*story, taken_back(effect))), Name.EFFECT: ""} == without


def test_the_order_of_arrival_does_not_matter_where_the_instants_differ() -> None:
    story = (RESOLUTION, of("resolution", Kind.PAUSED, 1), of("resolution", Kind.RESUMED, 2, 5 * HOUR), raised("lead", 3))

    assert len({repr(sorted({**values(record(*order)), Name.EFFECT: ""}.items())) for order in permutations(story)}) == 1


def test_the_level_is_the_last_one_that_was_raised_until_the_escalation_is_over() -> None:
    lead, boss = raised("lead", 1), raised("boss", 2)
    done = effect_of(Kind.RELEASED, id="over", ladder="ladder", level="boss", at=3)
    known = effect_of(Kind.ACKNOWLEDGED, id="ack", ladder="ladder", level="boss", at=3)

    assert [
        value(Name.LEVEL, *story) for story in ((lead,), (lead, boss), (lead, boss, taken_back(boss)), (lead, boss, done))
    ] == [
        "lead",
        "boss",
        "lead",
        "",
    ]
    assert (value(Name.ACKNOWLEDGED, lead, boss, known), value(Name.ESCALATED, lead, boss, known)) == (True, True)
    assert (value(Name.ESCALATED, lead, done), value(Name.LADDER, lead)) == (False, "ladder")


def test_the_newest_hand_over_names_the_team() -> None:
    assert (
        value(Name.TEAM, raised("one", 1, assign_to="tier 2"), raised("two", 2, assign_to="experts"), raised("three", 3))
        == "experts"
    )


def test_an_effect_that_is_read_again_changes_nothing() -> None:
    found = record(RESPONSE, BREACH)
    before = encode(found)

    assert not found.take(RESPONSE, "out/0", 0)
    assert encode(found) == before
    assert found.take(RESOLUTION, "other/0", 0)


def test_a_new_cycle_takes_the_place_of_the_former() -> None:
    done = of("next_response", Kind.MET, 5)
    again = of("next_response", Kind.STARTED, 6, 7 * HOUR, cycle=2)

    assert value(Name.DUE, of("next_response", Kind.STARTED, 0, 1 * HOUR), done, again) == 7 * HOUR


def test_a_ticket_that_flaps_has_a_bounded_record() -> None:
    pauses = [of("resolution", (Kind.PAUSED, Kind.RESUMED)[n % 2], n, 9 * HOUR + n) for n in range(1, 501)]
    cycles = [of("next_response", Kind.STARTED, n, n, cycle=n) for n in range(1, 100)]
    found = record(RESOLUTION, BREACH, *pauses, *cycles)

    assert max(len(cycle.facts) for cycle in found.cycles) == MOST_FACTS
    assert len([cycle for cycle in found.cycles if cycle.name == "next_response"]) == MOST_CYCLES
    assert values(found)[Name.BREACHED]
    assert values(record(RESOLUTION, *pauses))[Name.STATE] == "paused"


def test_a_record_is_read_as_it_was_written() -> None:
    found = record(RESPONSE, BREACH, raised("lead", 2))
    found.written = {"SLA due": "x", "tag:late": True}

    assert decode(encode(found)) == found
