"""Warnings on one clock of a target on another, and what a change or a pause makes of them."""

from __future__ import annotations

import pytest

from stream.language.calendars import read_calendar
from stream.sla.effects import Kind, Reason
from stream.sla.policy.policy import OnChange, Threshold
from stream.sla.ticket.thresholds import resolve
from tests.unit.sla.given import ALWAYS, HOUR, changed, commented, commitment, created, left, policy_set, run, share, used

OFFICE = read_calendar("office", {"timezone": "UTC", "week": {"mon-sun": ["09:00-17:00"]}}, lambda *_: None)


@pytest.mark.parametrize(
    ("target", "threshold", "warned", "due"),
    [
        ("10bh", share(60), 34, 38),
        ("10bh", used("6bh"), 34, 38),
        ("10bh", used("7h"), 19, 38),
        ("10bh", left("8bh"), 14, 38),
        ("10bh", left("8h"), 30, 38),
        ("30h", share(50), 27, 42),
        ("30h", left("2bh"), 39, 42),
        ("30h", left("2h"), 40, 42),
        ("30h", used("6bh"), 34, 42),
        ("2mo", used("1mo"), 31 * 24 + 12, 59 * 24 + 12),
    ],
)
def test_a_threshold_runs_on_its_own_clock(target: str, threshold: Threshold, warned: float, due: float) -> None:
    assert OFFICE is not None
    life = run(
        policy_set(commitment("resolution", threshold, p1=target), calendar=OFFICE), created(12 * HOUR), until=9999 * HOUR
    )

    assert [(effect.kind, effect.at / HOUR) for effect in life.effects[1:]] == [(Kind.WARNED, warned), (Kind.BREACHED, due)]


def test_a_threshold_of_the_other_clock_waits_for_the_deadline_to_be_in_sight_again() -> None:
    assert OFFICE is not None
    policies = policy_set(commitment("resolution", left("2bh"), p1="30h"), calendar=OFFICE)
    life = run(policies, created(12 * HOUR), changed(38 * HOUR, status="pending"), changed(60 * HOUR, status="open"))

    assert life.lines("warned", "breached") == ["warned -2bh @62h", "breached @64h"]


def test_more_time_left_than_there_ever_was_warns_at_the_start() -> None:
    assert run(policy_set(commitment("resolution", left("9h"))), created(0)).lines("warned") == ["warned -9h @0h"]


@pytest.mark.parametrize(("mode", "warned"), [(OnChange.FORWARD, [2]), (OnChange.RESET, [2, 5]), (OnChange.CARRY, [2])])
def test_time_used_counts_from_the_start_unless_the_count_began_anew(mode: OnChange, warned: list[int]) -> None:
    life = run(
        policy_set(commitment("resolution", used("2h"), on_change=mode)), created(0, "p2"), changed(3 * HOUR, priority="p1")
    )

    assert [effect.at // HOUR for effect in life.effects if effect.kind is Kind.WARNED] == warned


def test_open_time_used_before_a_new_count_is_left_out_of_the_threshold() -> None:
    assert OFFICE is not None
    policies = policy_set(commitment("resolution", used("3bh"), on_change=OnChange.RESET, p1="9bh", p2="8bh"), calendar=OFFICE)
    life = run(policies, created(15 * HOUR, "p2"), changed(20 * HOUR, priority="p1"))

    assert life.lines("warned") == ["warned 3bh @36h"]


def test_a_warning_that_cannot_come_does_not_hold_up_the_others() -> None:
    policies = policy_set(commitment("resolution", used("9h"), used("4h"), used("1h"), share(50)))

    assert run(policies, created(0)).lines("warned") == ["warned 1h @1h", "warned 50% @2h"]


def test_where_there_is_no_target_only_time_used_can_be_warned_of() -> None:
    life = run(policy_set(commitment("resolution", share(50), left("1h"), used("9h"))), created(0, "p4"))

    assert life.lines() == ["started @0h", "warned 9h @9h"]


def test_warnings_of_one_instant_come_in_the_order_of_the_policy() -> None:
    life = run(policy_set(commitment("resolution", used("2h"), share(50))), created(0))

    assert life.lines("warned") == ["warned 2h @2h", "warned 50% @2h"]


def test_no_policy_has_a_threshold_without_a_length() -> None:
    with pytest.raises(ValueError, match=r"^a threshold that is not a share needs a duration$"):
        resolve(None, ALWAYS, 0)


def test_a_commitment_that_begins_with_its_clock_has_that_reason_and_one_that_begins_later_that_fields_changed() -> None:
    life = run(policy_set(commitment("resolution")), created(0))
    assert life.effects[0].reason is Reason.CLOCK_STARTED

    from stream.sla.policy.conditions import FieldIn

    gold = policy_set(commitment("resolution"), applies_to=FieldIn("contract", frozenset({"gold"})))
    assert run(gold, created(0), changed(1, contract="gold")).effects[0].reason is Reason.FIELD_CHANGED


def test_an_effect_shows_the_fields_the_helpdesk_set_and_no_empty_or_derived_ones() -> None:
    life = run(policy_set(commitment("resolution")), created(0, team="a"), commented(1), changed(2, team=""))

    assert life.effects[-1].fields == {"priority": "p1", "status": "new"}
