"""Targets, deadlines, warnings and verdicts, on a wall clock and on a calendar."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from stream.sla.calendar.duration import Duration
from stream.sla.effects import Reason
from stream.sla.events import Event
from stream.sla.policy.conditions import FieldIn
from stream.sla.policy.policy import OnChange, Threshold
from stream.sla.ticket.commitment_state import CommitmentState, Verdict
from tests.unit.sla.given import (
    HOUR,
    MINUTE,
    Life,
    changed,
    commented,
    commitment,
    created,
    left,
    policy_set,
    run,
    share,
    used,
)

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet

PLAIN = policy_set(commitment("resolution"))


def test_pausing_moves_the_deadline_by_the_pause() -> None:
    life = run(PLAIN, created(0), changed(1 * HOUR, status="pending"), changed(3 * HOUR, status="open"))

    assert life.lines("paused", "resumed", "breached") == ["paused @1h", "resumed @3h", "breached @6h"]
    assert life.effects[-1].paused == 2 * HOUR
    assert life.effects[-1].elapsed == 4 * HOUR


def test_a_paused_commitment_has_no_deadline_and_never_breaches() -> None:
    life = run(PLAIN, created(0), changed(1 * HOUR, status="pending"))

    assert life.effects[-1].due_at is None
    assert life.steps[-1].wake_at is None


def test_a_ticket_created_pending_begins_paused() -> None:
    life = run(PLAIN, created(0, status="pending"), changed(5 * HOUR, status="open"))

    assert life.lines() == ["started @0h", "paused @0h", "resumed @5h", "breached @9h"]


def test_a_ticket_created_solved_has_no_commitment_until_it_is_reopened() -> None:
    life = run(PLAIN, created(0, status="solved"), changed(5 * HOUR, status="open"))

    assert life.lines() == ["started @5h", "breached @9h"]


def test_a_ticket_solved_while_paused_is_met() -> None:
    life = run(PLAIN, created(0), changed(1 * HOUR, status="pending"), changed(50 * HOUR, status="solved"))

    assert life.lines("met", "breached") == ["met @50h"]


def test_reopening_goes_on_with_the_time_used_and_leaves_the_solved_time_out() -> None:
    life = run(PLAIN, created(0), changed(3 * HOUR, status="solved"), changed(10 * HOUR, status="open"))

    assert life.lines("met", "resumed", "breached") == ["met @3h", "resumed @10h", "breached @11h"]
    assert life.effects[-1].paused == 0


def test_pausing_at_the_very_deadline_is_in_time() -> None:
    life = run(PLAIN, created(0), changed(4 * HOUR, status="pending"), changed(6 * HOUR, status="solved"))

    assert life.lines("met", "breached") == ["met @6h"]


def test_a_higher_priority_keeps_the_time_used_and_swaps_the_target() -> None:
    life = run(PLAIN, created(0, "p2"), changed(1 * HOUR, priority="p1"))

    assert life.lines("retargeted", "breached") == ["retargeted @1h", "breached @4h"]


def test_a_change_of_priority_keeps_the_pauses() -> None:
    life = run(
        PLAIN,
        created(0, "p2"),
        changed(1 * HOUR, status="pending"),
        changed(3 * HOUR, status="open"),
        changed(4 * HOUR, priority="p1"),
    )

    assert life.lines("breached") == ["breached @6h"]


def test_a_target_that_lies_in_the_past_breaches_at_the_change_for_that_reason() -> None:
    life = run(PLAIN, created(0, "p2"), changed(6 * HOUR, priority="p1"))

    breach = life.effects[-1]
    assert (breach.at, breach.due_at, breach.reason) == (6 * HOUR, 4 * HOUR, Reason.RETARGETED_PAST_DUE)


def test_a_retarget_into_the_past_solved_at_the_same_instant_is_a_breach() -> None:
    solved = changed(6 * HOUR, status="solved")
    life = run(PLAIN, created(0, "p2"), changed(6 * HOUR, priority="p1"), solved)

    assert life.lines("breached", "met_late", "met") == ["breached @6h", "met_late @6h"]


def test_what_ends_in_one_event_with_a_change_of_priority_is_judged_by_the_target_before() -> None:
    life = run(PLAIN, created(0, "p2"), changed(6 * HOUR, priority="p1", status="solved"))

    assert life.lines("breached", "met") == ["met @6h"]


def test_a_lower_priority_after_the_breach_does_not_undo_it() -> None:
    life = run(PLAIN, created(0, "p1"), changed(5 * HOUR, priority="p2"), changed(6 * HOUR, status="solved"))

    assert life.lines("breached", "met_late", "met") == ["breached @4h", "met_late @6h"]


def test_a_new_target_can_run_from_the_change_on() -> None:
    life = run(
        policy_set(commitment("resolution", on_change=OnChange.FORWARD)), created(0, "p2"), changed(3 * HOUR, priority="p1")
    )

    assert life.lines("breached") == ["breached @7h"]
    assert life.effects[-1].elapsed == 7 * HOUR


def test_a_new_target_can_begin_the_count_anew() -> None:
    life = run(
        policy_set(commitment("resolution", on_change=OnChange.RESET)), created(0, "p2"), changed(3 * HOUR, priority="p1")
    )

    assert life.lines("breached") == ["breached @7h"]
    assert life.effects[-1].elapsed == 4 * HOUR


def test_where_there_is_no_target_the_time_is_measured() -> None:
    life = run(PLAIN, created(0, "p4"), changed(300 * HOUR, status="solved"))

    assert life.lines() == ["started @0h", "measured @300h"]
    assert life.effects[-1].elapsed == 300 * HOUR


def test_a_commitment_that_ceases_to_apply_is_withdrawn_and_may_return() -> None:
    policies = policy_set(commitment("resolution"), applies_to=_field("contract", "gold"))
    life = run(
        policies,
        created(0, contract="gold"),
        changed(1 * HOUR, contract="none"),
        changed(2 * HOUR, contract="gold"),
    )

    assert life.lines() == ["started @0h", "cancelled @1h", "started @2h", "breached @4h"]
    assert life.effects[1].reason is Reason.NO_LONGER_APPLIES


def test_a_commitment_that_applies_late_counts_from_the_start_of_the_clock_but_never_breaches_in_the_past() -> None:
    policies = policy_set(commitment("resolution"), applies_to=_field("contract", "gold"))
    life = run(policies, created(0), changed(9 * HOUR, contract="gold"))

    assert life.lines() == ["started @9h", "breached @9h"]
    assert life.effects[-1].due_at == 4 * HOUR


def test_warnings_come_by_share_by_time_used_and_by_time_left() -> None:
    life = run(policy_set(commitment("resolution", share(25), used("90m"), left("30m"))), created(0))

    assert life.lines("warned", "breached") == ["warned 25% @1h", "warned 90m @1.5h", "warned -30m @3.5h", "breached @4h"]
    assert [effect.reason for effect in life.effects[1:4]] == [Reason.SHARE_USED, Reason.TIME_USED, Reason.TIME_LEFT]


def test_a_warning_by_time_left_waits_for_the_pause_to_end() -> None:
    life = run(
        policy_set(commitment("resolution", left("30m"))),
        created(0),
        changed(3 * HOUR + 15 * MINUTE, status="pending"),
        changed(9 * HOUR, status="open"),
    )

    assert life.lines("warned", "breached") == ["warned -30m @9.25h", "breached @9.75h"]


def test_a_warning_no_earlier_than_its_breach_is_not_sent() -> None:
    life = run(policy_set(commitment("resolution", share(50))), created(0, "p2"), changed(6 * HOUR, priority="p1"))

    assert life.lines("warned", "breached") == ["warned 50% @4h", "breached @6h"]


def test_a_new_target_warns_anew_because_the_deadline_is_another() -> None:
    life = run(policy_set(commitment("resolution", share(50))), created(0, "p2"), changed(3 * HOUR, priority="p1"))

    assert life.lines("warned", "breached") == ["warned 50% @3h", "breached @4h"]


def test_later_customer_messages_do_not_move_the_answer_that_is_owed() -> None:
    policies = policy_set(commitment("next_response", p1="2h"))
    life = run(
        policies,
        created(0),
        commented(1 * HOUR),
        commented(2 * HOUR, "customer"),
        commented(3 * HOUR, "customer"),
        commented(5 * HOUR),
        commented(6 * HOUR, "customer"),
        commented(7 * HOUR),
    )

    assert life.lines("started", "breached", "met_late", "met") == [
        "started @2h",
        "breached @4h",
        "met_late @5h",
        "started @6h",
        "met @7h",
    ]
    assert [effect.cycle for effect in life.effects if effect.kind.endswith("started")] == [1, 2]


def test_bots_do_not_answer_for_people() -> None:
    assert run(policy_set(commitment("first_response")), created(0), commented(1 * HOUR, "bot")).lines("met") == []


def test_a_private_note_answers_nobody() -> None:
    assert run(policy_set(commitment("first_response")), created(0), commented(1 * HOUR, public=False)).lines("met") == []


def test_a_ticket_an_agent_opened_waits_for_no_first_response() -> None:
    opened = created(0)
    by_agent = type(opened)(0, "a", "ticket.created", "test", actor="agent", fields={"priority": "p1"})

    assert run(policy_set(commitment("first_response")), by_agent).lines() == []


def test_a_verdict_that_may_not_follow_is_our_bug() -> None:
    commitment_state = CommitmentState()
    commitment_state.verdict = Verdict.MET

    with pytest.raises(ValueError, match="MET cannot become BREACHED"):
        commitment_state.decide(Verdict.BREACHED)


def test_the_state_shows_what_is_open() -> None:
    from stream.sla.ticket.state import open_commitments

    life = Life(PLAIN).event(created(0))
    assert life.state is not None
    (open_commitment,) = open_commitments(life.state)
    assert (open_commitment.commitment, open_commitment.state, open_commitment.due_at) == ("resolution", "running", 4 * HOUR)

    life.wake(5 * HOUR)
    assert [s.state for s in open_commitments(life.state)] == ["breached"]

    life.event(changed(6 * HOUR, status="solved"))
    assert open_commitments(life.state) == []


def test_a_timer_elapses_instead_of_breaching_and_any_word_of_the_customer_ends_it() -> None:
    policies = policy_set(commitment("customer_silence", p1="24h"))

    assert run(policies, created(0), commented(1 * HOUR)).lines() == ["started @1h", "elapsed @25h"]
    assert run(policies, created(0), commented(1 * HOUR), commented(2 * HOUR, "customer")).lines() == [
        "started @1h",
        "cancelled @2h",
    ]


def extension(at: int, by: str) -> Event:
    return Event(at, f"x{at}", "extension.granted", "test", commitment="resolution", by=by)


def test_an_extension_moves_the_deadline() -> None:
    life = run(_extensible("4h"), created(0), extension(1 * HOUR, "2h"))

    assert life.lines("retargeted", "breached") == ["retargeted @1h", "breached @6h"]
    assert life.effects[-1].target == 6 * HOUR


def test_extensions_add_up_to_the_cap_and_no_further() -> None:
    life = run(_extensible("3h"), created(0), extension(1 * HOUR, "2h"), extension(2 * HOUR, "2h"), extension(3 * HOUR, "1h"))

    assert life.lines("retargeted", "extension_refused", "breached") == [
        "retargeted @1h",
        "retargeted @2h",
        "extension_refused @3h",
        "breached @7h",
    ]


def test_without_a_cap_no_extension_is_taken_and_the_refusal_is_emitted() -> None:
    life = run(PLAIN, created(0), extension(1 * HOUR, "2h"))

    assert life.lines("extension_refused", "breached") == ["extension_refused @1h", "breached @4h"]


def test_an_extension_after_the_breach_does_not_undo_it() -> None:
    life = run(_extensible("9h"), created(0), extension(5 * HOUR, "2h"))

    assert life.lines("breached", "extension_refused") == ["breached @4h", "extension_refused @5h"]


def test_an_extension_does_not_warn_again_of_what_is_past() -> None:
    policies = _extensible("4h", share(50))
    life = run(policies, created(0), extension(3 * HOUR, "30m"), extension(3 * HOUR + MINUTE, "3h"))

    assert life.lines("warned") == ["warned 50% @2h", "warned 50% @3.75h"]


def _extensible(cap: str, *thresholds: Threshold) -> PolicySet:
    plain = commitment("resolution", *thresholds)
    return policy_set(dataclasses.replace(plain, extension_cap=Duration.parse(cap)))


def _field(name: str, value: str) -> FieldIn:
    return FieldIn(name, frozenset({value}))
