"""The effects of one ticket: in order, out of order, repeated, late."""

from __future__ import annotations

import pytest

from stream.sla.effect_ids import stem
from stream.sla.effects import Kind, Reason
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.policy.conditions import FieldIn
from stream.sla.policy.metric import SOLVED, Metric
from stream.sla.policy.policy import Commitment
from stream.sla.step import Outcome
from tests.unit.sla.given import (
    HOUR,
    MINUTE,
    Life,
    by_priority,
    changed,
    commented,
    commitment,
    created,
    ladder,
    policy_set,
    run,
    share,
)

RESOLUTION = policy_set(commitment("resolution", share(50), p1="4h", p2="8h"))
RESPONSE = policy_set(commitment("first_response", p1="1h"))


def test_a_deadline_that_passes_is_a_breach_at_the_deadline_itself() -> None:
    life = run(RESOLUTION, created(0))

    assert life.lines("warned", "breached") == ["warned 50% @2h", "breached @4h"]
    assert life.effects[-1].reason is Reason.TARGET_PASSED


def test_fulfilling_at_the_very_deadline_is_in_time() -> None:
    assert run(RESPONSE, created(0), commented(1 * HOUR)).lines("met", "breached") == ["met @1h"]


def test_fulfilling_a_microsecond_after_the_deadline_is_a_breach_and_then_late() -> None:
    life = run(RESPONSE, created(0), commented(1 * HOUR + 1))

    assert [effect.kind for effect in life.effects[1:]] == [Kind.BREACHED, Kind.MET_LATE]
    assert life.effects[1].at == 1 * HOUR


def test_a_wake_up_at_the_deadline_emits_nothing_and_one_microsecond_later_it_does() -> None:
    life = Life(RESPONSE).event(created(0))
    assert life.steps[-1].wake_at == 1 * HOUR + 1

    assert life.wake(1 * HOUR).lines("breached") == []
    assert life.wake(1 * HOUR + 1).lines("breached") == ["breached @1h"]


def test_a_ticket_that_breached_and_closed_between_two_wake_ups_still_breached() -> None:
    life = run(RESOLUTION, created(0), changed(5 * HOUR, status="solved"))

    assert life.lines("breached", "met", "met_late") == ["breached @4h", "met_late @5h"]


def test_the_same_event_again_changes_nothing() -> None:
    life = Life(RESOLUTION).event(created(0))
    before = life.state

    life.event(created(0))

    assert life.steps[-1].outcome is Outcome.DUPLICATE
    assert life.steps[-1].effects == ()
    assert life.state == before


def test_an_event_never_changes_the_state_it_was_applied_to() -> None:
    engine = Engine(RESOLUTION)
    first = engine.apply(None, "T", created(0), 0).state
    before = repr(first)

    engine.apply(first, "T", changed(HOUR, status="pending"), HOUR)
    engine.wake(first, 100 * HOUR)

    assert repr(first) == before


def test_an_answer_that_arrives_after_its_breach_was_emitted_takes_the_breach_back() -> None:
    life = Life(RESPONSE).event(created(0)).wake(2 * HOUR)
    (breach,) = [effect for effect in life.effects if effect.kind is Kind.BREACHED]

    life.event(commented(30 * MINUTE), now=3 * HOUR)

    retraction, met = life.steps[-1].effects
    assert (retraction.kind, retraction.retracts) == (Kind.BREACH_RETRACTED, breach.id)
    assert retraction.cause == commented(30 * MINUTE).id
    assert retraction.reason is Reason.CORRECTED
    assert (met.kind, met.at, met.detected_at, met.late) == (Kind.MET, 30 * MINUTE, 3 * HOUR, True)


def test_what_was_taken_back_and_becomes_true_again_is_emitted_as_a_revision() -> None:
    life = Life(RESOLUTION).event(created(0)).wake(20 * HOUR)
    breach = life.effects[-1]
    life.event(changed(1 * HOUR, status="pending"))
    assert life.steps[-1].effects[-1].kind is not Kind.BREACHED

    resumed_at_once = Event(1 * HOUR, "z", "ticket.changed", "test", seq=1, fields={"status": "open"})
    life.event(resumed_at_once).wake(20 * HOUR)

    assert (life.effects[-1].id, life.effects[-1].at) == (f"{breach.id}.1", breach.at)


def test_a_breach_whose_deadline_moved_is_taken_back_and_emitted_anew_with_its_stem() -> None:
    life = Life(RESOLUTION).event(created(0)).wake(20 * HOUR)
    breach = next(effect for effect in life.effects if effect.kind is Kind.BREACHED)

    life.event(changed(1 * HOUR, status="pending")).event(changed(3 * HOUR, status="open")).wake(20 * HOUR)

    again = [effect for effect in life.effects if effect.kind is Kind.BREACHED][-1]
    assert again.at == 6 * HOUR
    assert again.id.startswith(breach.id + ".")


def test_an_event_in_order_is_taken_on_the_fast_way_even_when_the_clock_is_far_ahead() -> None:
    life = Life(RESOLUTION).event(created(0)).wake(1 * HOUR)

    assert life.event(changed(30 * MINUTE, status="pending"), now=9 * HOUR).steps[-1].outcome is Outcome.APPLIED


def test_history_is_bounded_and_what_is_older_is_refused() -> None:
    life = Life(RESOLUTION, history=4).event(created(0))
    for hour in range(1, 8):
        life.event(changed(hour * HOUR, team=f"t{hour}"))
    assert life.state is not None
    assert len(life.state.history) <= 4

    before = life.state
    life.event(changed(30 * MINUTE, team="x"))

    assert life.steps[-1].outcome is Outcome.TOO_LATE
    assert life.state == before


def test_a_repetition_older_than_the_history_is_still_a_repetition() -> None:
    life = Life(RESOLUTION, history=4).event(created(0))
    for hour in range(1, 8):
        life.event(changed(hour * HOUR, team=f"t{hour}"))

    assert life.event(created(0)).steps[-1].outcome is Outcome.DUPLICATE


def test_an_event_whose_id_stands_elsewhere_in_the_history_is_no_repetition() -> None:
    first = created(0, team="b")
    life = Life(RESOLUTION).event(first)

    named_as_a_value = changed(1 * HOUR, status="open").replace(id="b")
    of_another_source = first.replace(source="another", at=2 * HOUR)
    life.event(named_as_a_value).event(of_another_source).event(first)

    assert [step.outcome for step in life.steps[-3:]] == [Outcome.APPLIED, Outcome.APPLIED, Outcome.DUPLICATE]


def test_a_bounded_history_emits_the_same_as_a_whole_one() -> None:
    events = [created(0, "p2")] + [changed(h * HOUR, status="pending" if h % 2 else "open") for h in range(1, 14)]
    whole, bounded = Life(RESOLUTION), Life(RESOLUTION, history=3)
    for event in events:
        whole.event(event)
        bounded.event(event)

    assert whole.wake(99 * HOUR).lines() == bounded.wake(99 * HOUR).lines()


def test_without_routine_effects_all_others_and_the_state_are_the_same() -> None:
    events = [
        created(0, "p2"),
        changed(1 * HOUR, status="pending"),
        changed(2 * HOUR, status="open"),
        changed(3 * HOUR, priority="p1"),
        changed(4 * HOUR, status="solved"),
        changed(5 * HOUR, status="open"),
        changed(4 * HOUR + 1, team="late"),
    ]
    whole, terse = Life(RESOLUTION), Life(RESOLUTION, routine=False)
    for event in events:
        whole.event(event)
        terse.event(event)

    assert whole.wake(99 * HOUR).state == terse.wake(99 * HOUR).state
    assert any(effect.routine for effect in whole.effects)
    assert terse.effects == [effect for effect in whole.effects if not effect.routine]


def test_a_late_event_does_not_lengthen_a_full_history_and_corrects_what_was_emitted() -> None:
    events = [created(0, "p2"), changed(5 * HOUR, team="a"), changed(9 * HOUR, team="b"), changed(10 * HOUR, team="c")]
    whole, bounded = Life(RESOLUTION), Life(RESOLUTION, history=4)
    for event in [*events, changed(7 * HOUR, status="solved")]:
        whole.event(event)
        bounded.event(event)

    assert bounded.steps[-1].outcome is Outcome.LATE
    assert (
        bounded.lines() == whole.lines() == ["started @0h", "warned 50% @4h", "breached @8h", "breach_retracted @8h", "met @7h"]
    )
    assert bounded.state is not None
    assert bounded.state.recent.kept <= 4


def test_a_ticket_first_seen_in_mid_life_is_partial_until_its_creation_comes() -> None:
    life = Life(RESOLUTION).event(changed(2 * HOUR, priority="p1"))
    assert life.state is not None
    assert life.state.head.partial
    assert life.lines("started") == ["started @2h"]

    life = life.event(created(0, "p2"))

    assert life.state is not None
    assert not life.state.head.partial
    assert life.wake(99 * HOUR).lines("breached") == ["breached @4h"]


def test_a_merged_ticket_has_no_open_commitment() -> None:
    life = run(
        RESOLUTION, created(0), Event(1 * HOUR, "m", "ticket.merged", "test", into="U"), changed(2 * HOUR, status="open")
    )

    assert life.lines() == ["started @0h", "cancelled @1h"]
    assert life.effects[-1].reason is Reason.MERGED
    assert life.state is not None
    assert life.state.ended is not None


def test_a_deleted_ticket_has_no_open_commitment() -> None:
    life = run(RESOLUTION, created(0), Event(1 * HOUR, "d", "ticket.deleted", "test"))

    assert life.effects[-1].reason is Reason.DELETED


def test_a_ticket_no_policy_knows_is_unmatched_once() -> None:
    life = Life(RESOLUTION).event(created(0, "p9")).event(changed(HOUR, team="x"))

    assert [step.unmatched for step in life.steps] == [True, False]


def test_events_of_one_instant_are_ordered_by_their_sequence_number() -> None:
    pending = Event(0, "b", "ticket.changed", "test", seq=1, fields={"status": "pending"})
    reopened = Event(0, "a", "ticket.changed", "test", seq=2, fields={"status": "open"})

    in_order = run(RESOLUTION, created(0), pending, reopened)
    shuffled = run(RESOLUTION, created(0), reopened, pending)

    assert in_order.lines("breached") == shuffled.lines("breached") == ["breached @4h"]


def test_an_engine_refuses_a_history_that_could_hold_nothing() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        Engine(RESOLUTION, history=1)


def test_a_correction_shows_when_it_was_noticed_what_it_takes_back_and_in_which_name() -> None:
    life = Life(RESPONSE).event(created(0)).wake(2 * HOUR)
    breach = life.effects[-1]
    life.event(commented(30 * MINUTE), now=3 * HOUR)

    retraction = life.steps[-1].effects[0]
    assert (retraction.detected_at, retraction.late, retraction.retracts_kind) == (3 * HOUR, True, Kind.BREACHED)
    assert (retraction.at, retraction.due_at) == (breach.at, breach.due_at)
    assert retraction.id == stem("T", "first_response", ("", 1, 0), Kind.BREACH_RETRACTED, breach.id)
    assert (life.steps[-1].outcome, life.steps[-1].wake_at) == (Outcome.LATE, None)


def test_a_late_pause_restates_how_late_a_commitment_was_fulfilled_and_how_long_a_measured_one_took() -> None:
    life = Life(policy_set(commitment("resolution", p1="1h"), commitment("agent_work", p2="1h")))
    life.event(created(0)).event(changed(6 * HOUR, status="solved"))
    before = life.unretracted()
    assert (before[Kind.MET_LATE].elapsed, before[Kind.MEASURED].elapsed) == (6 * HOUR, 6 * HOUR)

    life.event(changed(2 * HOUR, status="pending"), now=7 * HOUR).event(changed(3 * HOUR, status="open"), now=7 * HOUR)

    unretracted = life.unretracted()
    late = unretracted[Kind.MET_LATE]
    assert (late.id, late.elapsed, late.paused, late.late) == (f"{before[Kind.MET_LATE].id}.2", 5 * HOUR, 1 * HOUR, True)
    taken_back = [effect for effect in life.effects if effect.retracts == before[Kind.MET_LATE].id]
    assert [(effect.kind, effect.reason, effect.elapsed) for effect in taken_back] == [
        (Kind.RETRACTED, Reason.RESTATED, 6 * HOUR)
    ]
    assert unretracted[Kind.BREACHED] == before[Kind.BREACHED]  # it was breached before the pause
    assert (unretracted[Kind.MEASURED].elapsed, unretracted[Kind.MEASURED].paused) == (5 * HOUR, 1 * HOUR)


def test_a_late_change_of_team_restates_what_was_emitted_since_and_nothing_before() -> None:
    life = Life(RESOLUTION).event(created(0, team="a")).wake(5 * HOUR)
    before = life.unretracted()

    life.event(changed(3 * HOUR, team="b"), now=5 * HOUR)

    unretracted = life.unretracted()
    assert unretracted[Kind.WARNED] == before[Kind.WARNED]
    assert (unretracted[Kind.BREACHED].fields["team"], unretracted[Kind.BREACHED].at) == ("b", 4 * HOUR)
    retraction = life.steps[-1].effects[0]
    assert (retraction.kind, retraction.reason, retraction.retracts) == (
        Kind.BREACH_RETRACTED,
        Reason.RESTATED,
        before[Kind.BREACHED].id,
    )


def test_what_takes_a_routine_effect_back_is_routine() -> None:
    life = Life(policy_set(commitment("next_response", p1="1h")))
    life.event(created(0)).event(commented(1 * HOUR)).event(commented(2 * HOUR, "customer"))
    life.event(changed(2 * HOUR - 1, team="b"))

    assert [(effect.kind, effect.routine) for effect in life.steps[-1].effects] == [
        (Kind.RETRACTED, True),
        (Kind.STARTED, True),
    ]


def test_what_is_not_a_breach_is_taken_back_by_the_kind_of_its_topic() -> None:
    policies = policy_set(commitment("resolution", share(50)), ladders=(ladder(("team", share(75)), on="resolution"),))
    life = Life(policies).event(created(0)).wake(5 * HOUR).event(changed(1 * HOUR, status="solved"), now=6 * HOUR)

    taken_back = [effect for effect in life.steps[-1].effects if effect.retracts]
    assert [(effect.kind, effect.retracts_kind, effect.commitment, effect.ladder) for effect in taken_back] == [
        (Kind.RETRACTED, Kind.WARNED, "resolution", ""),
        (Kind.ESCALATION_RETRACTED, Kind.RAISED, "resolution", "ladder"),
        (Kind.BREACH_RETRACTED, Kind.BREACHED, "resolution", ""),
    ]
    assert taken_back[1].id == stem("T", "ladder", ("", 1, 0), Kind.ESCALATION_RETRACTED, taken_back[1].retracts)


def test_a_correction_of_the_second_cycle_is_named_after_it() -> None:
    policies = policy_set(commitment("next_response", p1="1h"))
    life = Life(policies)
    for event in (created(0), commented(1), commented(2, "customer"), commented(3), commented(4, "customer")):
        life.event(event)
    life.wake(9 * HOUR).event(commented(30 * MINUTE), now=9 * HOUR)

    retraction = life.steps[-1].effects[0]
    assert retraction.id == stem("T", "next_response", ("", 2, 0), Kind.BREACH_RETRACTED, retraction.retracts)


def test_every_time_the_same_fact_is_emitted_anew_its_revision_rises() -> None:
    life = Life(RESOLUTION).event(created(0)).wake(20 * HOUR)
    for number, status in enumerate(["pending", "open", "pending", "open"]):
        life.event(Event(1 * HOUR, f"z{number}", "ticket.changed", "test", seq=number, fields={"status": status})).wake(
            20 * HOUR
        )

    stem_ = stem("T", "resolution", ("resolution", 1, 0), Kind.BREACHED, "")
    assert [effect.id for effect in life.effects if effect.kind is Kind.BREACHED] == [stem_, f"{stem_}.1", f"{stem_}.2"]
    assert len({effect.id for effect in life.effects}) == len(life.effects)


def test_what_is_learnt_in_order_is_not_late_and_what_a_late_event_adds_is() -> None:
    life = Life(RESPONSE).event(created(0)).event(changed(40 * MINUTE, team="x"))
    assert [effect.late for effect in life.effects] == [False]

    life.event(commented(30 * MINUTE), now=41 * MINUTE)
    assert [(effect.kind, effect.late) for effect in life.steps[-1].effects] == [(Kind.MET, True)]


def test_a_correction_does_not_forget_what_lies_before_the_history() -> None:
    life = Life(RESOLUTION, history=4).event(created(0))
    for hour in range(1, 8):
        life.event(changed(hour * HOUR, team=f"t{hour}"))
    for minute in (30, 20):
        life.event(changed(7 * HOUR - minute * MINUTE, channel="chat"))
        assert life.steps[-1].outcome is Outcome.LATE

    assert life.lines("breached", "breach_retracted") == ["breached @4h"]
    assert life.state is not None
    assert life.state.head.watches["resolution"].began == 0


def test_a_correction_emits_nothing_that_time_has_not_made_true_yet() -> None:
    def from_team(name: str) -> Commitment:
        metric = Metric(name, starts=FieldIn("team", frozenset({name})), stops=SOLVED)
        return Commitment(name, metric, by_priority(p1="4h"))

    life = Life(policy_set(from_team("first"), from_team("second")))
    life.event(created(0, team="first")).event(changed(1, team="second")).wake(4 * HOUR + 1)
    assert [effect.commitment for effect in life.effects if effect.kind is Kind.BREACHED] == ["first"]

    life.event(changed(1 * HOUR, channel="chat"), now=4 * HOUR + 1)

    assert {effect.commitment for effect in life.steps[-1].effects} == {"first"}
    assert life.steps[-1].wake_at == 4 * HOUR + 2


def test_a_late_event_that_matters_only_to_what_was_noticed_is_noticed_now() -> None:
    life = Life(RESOLUTION).event(created(0)).wake(3 * HOUR)
    life.event(changed(1 * HOUR, priority="p2"), now=9 * HOUR)

    assert {effect.detected_at for effect in life.steps[-1].effects} == {9 * HOUR}


def test_the_fields_an_effect_shows_do_not_depend_on_when_the_timer_ran() -> None:
    events = created(0, team="a"), changed(5 * HOUR, team="b", status="solved")
    unwoken, woken = Life(RESOLUTION).event(events[0]), Life(RESOLUTION).event(events[0]).wake(5 * HOUR)

    for life in (unwoken, woken):
        life.event(events[1])

    assert [(effect.kind, effect.fields["team"]) for effect in unwoken.effects] == [
        (effect.kind, effect.fields["team"]) for effect in woken.effects
    ]
    assert unwoken.effects[-1].fields["team"] == "b"
