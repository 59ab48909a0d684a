"""Which commitments a ticket's fields lead to."""

from __future__ import annotations

import dataclasses

import pytest

from stream.language.calendars import read_calendar
from stream.sla.calendar.duration import Duration
from stream.sla.events import Event
from stream.sla.policy.conditions import ALWAYS as ANY_TICKET
from stream.sla.policy.conditions import AnyOf, Changed, EventIs, FieldIn
from stream.sla.policy.policy import Choice, Policy
from stream.sla.policy.resolve import PolicySet
from tests.unit.sla.given import ALWAYS, HOUR, changed, commitment, created, ladder, policy_set, run, used

GOLD = FieldIn("contract", frozenset({"gold"}))
OFFICE = read_calendar("office", {"timezone": "UTC", "week": {"mon-sun": ["09:00-17:00"]}}, lambda *_: None)


def test_a_commitment_may_depend_on_a_field_that_holds_a_list() -> None:
    resolved = dataclasses.replace(commitment("resolution"), when=FieldIn("tags", frozenset({"vip"})))

    def tagged(at: int, *tags: str) -> Event:
        return Event(at, f"t{at}", "ticket.changed", "test", fields={"tags": list(tags)})

    life = run(policy_set(resolved), created(0), tagged(1 * HOUR, "new", "vip"), tagged(2 * HOUR, "new"))

    assert life.lines() == ["started @1h", "cancelled @2h"]


def test_a_calendar_that_depends_on_a_field_changes_with_it() -> None:
    assert OFFICE is not None
    chat = FieldIn("channel", frozenset({"chat"}))
    own = Choice(((chat, OFFICE.name), (ANY_TICKET, ALWAYS.name)))
    resolved = dataclasses.replace(commitment("resolution"), target=Choice.fixed(Duration.parse("4bh")), calendar=own)
    policy = Policy("p", 1, Choice.fixed(ALWAYS.name), commitments=(resolved,))
    life = run(
        PolicySet((policy,), {ALWAYS.name: ALWAYS, OFFICE.name: OFFICE}),
        created(0, channel="mail"),
        changed(HOUR, channel="chat"),
    )

    assert [(effect.calendar, effect.due_at) for effect in life.effects] == [
        ("24x7", 4 * HOUR),
        ("office", 13 * HOUR),
        ("office", 13 * HOUR),
    ]


def test_which_commitments_apply_follows_from_the_fields_and_from_no_event() -> None:
    by_event = AnyOf((Changed(frozenset({"contract"})), EventIs(frozenset({"ticket.created"})), GOLD))
    policies = policy_set(commitment("resolution"), applies_to=by_event)

    assert run(policies, created(0, contract="tin")).lines() == []
    assert run(policies, created(0, contract="gold")).lines() == ["started @0h", "breached @4h"]


def test_a_change_of_an_unread_field_is_not_a_change_of_a_commitment() -> None:
    life = run(policy_set(commitment("resolution"), applies_to=GOLD), created(0, contract="gold"), changed(1 * HOUR, team="x"))

    assert life.lines() == ["started @0h", "breached @4h"]


def test_a_ladder_must_stand_on_something() -> None:
    hanging = dataclasses.replace(ladder(("lead", used("1h"))), metric=None)

    with pytest.raises(ValueError, match="'ladder' stands neither on a stopwatch nor on a commitment"):
        run(policy_set(ladders=(hanging,)), created(0))


def test_a_field_with_new_values_without_end_fills_no_memory() -> None:
    policies = policy_set(commitment("resolution"), applies_to=GOLD)
    for number in range(65_537):
        policies.resolved_policy({"contract": f"contract-{number}"}, 0)

    assert len(policies._resolved) == 1
    assert policies.resolved_policy({"contract": "gold", "priority": "p1"}, 0).has_targets


def test_long_lists_fill_no_memory() -> None:
    policies = policy_set(dataclasses.replace(commitment("resolution"), when=FieldIn("tags", frozenset({"vip"}))))
    many = [f"tag-{number}" for number in range(256)]  # 15 kB
    for number in range(3_000):
        policies.resolved_policy({"priority": "p1", "tags": [f"vip-{number}", *many]}, 0)
    answers = [policies.resolved_policy({"priority": "p1", "tags": ["vip", *many]}, 0) for _ in range(2)]

    assert len(policies._resolved) < 2_500
    assert answers[0] is answers[1]
    assert answers[0].has_targets
