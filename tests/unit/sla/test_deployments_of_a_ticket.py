"""What a deployment does to a ticket where a story cannot show it: the state, the readings, the ids, a history that is cut."""

from __future__ import annotations

from dataclasses import replace

from stream.sla.calendar.duration import Duration
from stream.sla.codec import codec
from stream.sla.effect_ids import stem
from stream.sla.effects import Kind, Reason
from stream.sla.events import Event
from stream.sla.explain.explain import explain_state
from stream.sla.explain.explanation import Outcome as Shown
from stream.sla.policy.conditions import ALWAYS as EVERY
from stream.sla.policy.conditions import FieldIn
from stream.sla.policy.metric import BEGUN, BUILT_IN, SOLVED, Metric
from stream.sla.policy.policy import Choice, Policy
from stream.sla.policy.resolve import PolicySet
from stream.sla.policy.timeline import Deployments, Origin
from stream.sla.step import Outcome
from stream.sla.ticket.state import State, open_commitments
from tests.oracle.scenarios import read
from tests.unit.sla.given import ALWAYS as AROUND_THE_CLOCK
from tests.unit.sla.given import HOUR, Life, after, changed, commitment, created, ladder, policy_set, share, used

DAY = 24 * HOUR


def life(*sets: tuple[int, PolicySet], history: int = 200) -> Life:
    """Sets of policies with the instants from which they hold; the first since ever."""
    deployments = Deployments.fixed(sets[0][1])
    for number, (at, policies) in enumerate(sets[1:], start=1):
        deployments = deployments.add(number, at, policies)
    return Life(deployments, history=history)


def test_a_breach_that_is_renamed_is_listed_under_its_new_name() -> None:
    old = policy_set(commitment())
    new = policy_set(replace(commitment(), name="fix", was="resolution"))
    ticket = life((0, old), (10 * HOUR, new)).event(created(HOUR)).wake(DAY)

    assert ticket.state is not None
    assert [one.commitment for one in open_commitments(ticket.state)] == ["fix"]
    assert [effect.commitment for effect in ticket.effects if effect.kind is Kind.BREACHED] == ["resolution"]


def test_a_breach_that_is_renamed_later_than_it_was_found_is_listed_under_its_new_name() -> None:
    old = policy_set(commitment())
    new = policy_set(replace(commitment(), name="fix", was="resolution"))
    ticket = life((0, old), (10 * HOUR, new)).event(created(HOUR)).wake(9 * HOUR).wake(DAY)

    assert ticket.state is not None
    assert [one.commitment for one in open_commitments(ticket.state)] == ["fix"]


def test_a_deployment_that_changes_nothing_leaves_the_very_state() -> None:
    old = policy_set(commitment())
    ticket = life((0, old), (10 * HOUR, policy_set(replace(commitment(), objective=0.9)))).event(created(HOUR)).wake(9 * HOUR)
    state: State | None = ticket.state
    assert state is not None

    assert ticket.engine.wake(state, DAY).state is state


def test_a_metric_that_comes_back_after_the_history_was_cut_is_not_counted_before_its_next_cycle() -> None:
    both = policy_set(commitment("first_response"), commitment())
    one = policy_set(commitment())
    ticket = life((0, both), (10 * HOUR, one), (20 * HOUR, both), history=4)
    for event in [created(HOUR), *[changed(hour * HOUR, team=str(hour)) for hour in range(11, 18)]]:
        ticket.event(event)
    ticket.wake(DAY)

    assert ticket.state is not None
    assert ticket.steps[-1].unbuilt == 1
    assert [one.commitment for one in open_commitments(ticket.state)] == ["resolution"]


def test_the_id_of_a_new_target_names_its_instant_and_the_deployment() -> None:
    shorter = policy_set(commitment(p1="3h"))
    ticket = life((0, policy_set(commitment())), (2 * HOUR, shorter)).event(created(HOUR)).wake(3 * HOUR)

    (moved,) = [effect for effect in ticket.effects if effect.kind is Kind.RETARGETED]
    assert moved.id == stem("T", "resolution", ("resolution", moved.cycle, 2 * HOUR), Kind.RETARGETED, "", "deployment:1")


def test_a_former_name_that_begins_again_in_the_same_cycle_is_emitted_under_another_id() -> None:
    old = policy_set(commitment())
    new = policy_set(replace(commitment(), name="fix", was="resolution"))
    ticket = life((0, old), (2 * HOUR, new), (4 * HOUR, old))
    ticket.event(created(HOUR)).event(changed(3 * HOUR, status="solved")).event(changed(5 * HOUR, status="open"))

    started = [effect for effect in ticket.effects if effect.kind is Kind.STARTED]
    assert [(effect.commitment, effect.at) for effect in started] == [("resolution", HOUR), ("resolution", 5 * HOUR)]
    assert len({effect.id for effect in ticket.effects}) == len(ticket.effects)


def test_a_ladder_whose_former_name_begins_again_in_the_same_cycle_is_emitted_under_another_id() -> None:
    managers = ladder(("lead", share(50)), on="resolution")
    old = policy_set(commitment(), ladders=(managers,))
    new = policy_set(commitment(), ladders=(replace(managers, name="leads", was=managers.name),))
    ticket = life((0, old), (6 * HOUR, new), (7 * HOUR, old))
    ticket.event(created(HOUR)).event(changed(6 * HOUR + 1, status="solved")).event(changed(8 * HOUR, status="open"))
    ticket.wake(DAY)

    assert len({effect.id for effect in ticket.effects}) == len(ticket.effects)


def test_what_is_renamed_and_moves_to_another_metric_is_not_explained_as_pending_under_its_old_name() -> None:
    old = policy_set(commitment("requester_wait"), commitment("agent_work"))
    moved = replace(commitment("agent_work"), name="work", was="requester_wait")
    ticket = life((0, old), (2 * HOUR, policy_set(moved, commitment("agent_work")))).event(created(HOUR)).wake(3 * HOUR)
    assert ticket.state is not None
    shown = explain_state(ticket.engine.deployments, ticket.state, 3 * HOUR)
    pending = sorted(one.commitment for one in shown.deadlines if one.verdict is Shown.PENDING)

    assert pending == ["agent_work", "work"]


def test_what_a_rejudgement_finds_to_have_passed_is_a_correction_and_not_news() -> None:
    strict = policy_set(commitment("resolution", p1="1h"))
    ticket = Life(Deployments.fixed(policy_set(commitment("resolution")))).event(created(0))
    ticket.engine.deployments = ticket.engine.deployments.add(1, HOUR // 2, strict, Origin(1, rejudges=True))
    ticket.wake(2 * HOUR)

    breach = next(effect for effect in ticket.effects if effect.kind is Kind.BREACHED)
    assert (breach.at, breach.late, breach.deployment) == (HOUR, True, 1)


def test_what_passes_after_an_ordinary_deployment_is_news() -> None:
    strict = policy_set(commitment("resolution", p1="1h"))
    ticket = (
        Life(Deployments.fixed(policy_set(commitment("resolution"))).add(1, HOUR // 2, strict)).event(created(0)).wake(2 * HOUR)
    )

    breach = next(effect for effect in ticket.effects if effect.kind is Kind.BREACHED)
    assert (breach.at, breach.late, breach.deployment) == (HOUR, False, None)


def test_what_passes_whatever_a_rejudgement_changes_elsewhere_is_news() -> None:
    before = policy_set(commitment("resolution"), commitment("first_response", p1="1h"))
    strict = policy_set(commitment("resolution", p1="3h"), commitment("first_response", p1="1h"))
    ticket = Life(Deployments.fixed(before)).event(created(0))
    ticket.engine.deployments = ticket.engine.deployments.add(1, HOUR // 2, strict, Origin(1, rejudges=True))
    ticket.wake(HOUR + 1)

    breach = next(effect for effect in ticket.effects if effect.kind is Kind.BREACHED)
    assert (breach.commitment, breach.late, breach.deployment) == ("first_response", False, None)


def test_a_level_whose_time_passed_before_a_pause_at_the_deployment_is_past() -> None:
    levels = ladder(("team", share(75)), ("second", after("5m")), on="agent_work")
    pausing = replace(commitment("agent_work", p1="1h"), target=Choice.fixed(Duration.parse("1bh")))
    metric = replace(BUILT_IN["agent_work"], pauses=FieldIn("priority", frozenset({"p1"})), name="agent_work#1")
    old = policy_set(replace(commitment("agent_work"), target=Choice.fixed(Duration.parse("4bh"))))
    new = policy_set(replace(pausing, metric=metric), ladders=(levels,))
    ticket = life((0, old), (2 * HOUR, new)).event(created(0)).wake(3 * HOUR)

    assert [effect.level for effect in ticket.effects if effect.kind is Kind.RAISED] == ["second"]


def test_what_was_renamed_by_mistake_has_its_former_name_again_where_the_history_is_cut() -> None:
    raised = ladder(("lead", share(10)), ("manager", share(90)), on="resolution")
    levels = (replace(raised.levels[0], name="duty", was="lead"), raised.levels[1])
    old = policy_set(commitment(p1="10h"), ladders=(raised,))
    renamed = replace(commitment(p1="10h"), name="fix", was="resolution")
    mistaken = policy_set(renamed, ladders=(replace(raised, name="care", was="ladder", levels=levels, commitment="fix"),))
    ticket = life((0, old), (5 * HOUR, mistaken), history=4)
    for event in [created(HOUR), *[changed(hour * HOUR, team=str(hour)) for hour in range(3, 10)]]:
        ticket.event(event)
    ticket.engine.deployments = ticket.engine.deployments.add(2, 5 * HOUR, old)
    ticket.wake(10 * HOUR + 1)

    assert ticket.state is not None
    assert [one.commitment for one in open_commitments(ticket.state)] == ["resolution"]
    assert {name: one.raised for name, one in ticket.state.head.escalations.items()} == {"ladder": ("lead", "manager")}
    assert len({effect.id for effect in ticket.effects}) == len(ticket.effects)
    assert ticket.lines("raised") == ["raised lead @2h", "raised manager @10h"]


def busy(*sets: tuple[int, PolicySet]) -> Life:
    """A ticket with an event an hour, whose history begins with the event at 4 h."""
    ticket = life(*sets, history=4)
    for event in [created(HOUR), *[changed(hour * HOUR, team=str(hour)) for hour in (2, 3, 4, 5)]]:
        ticket.event(event)
    return ticket


def test_a_metric_that_was_built_before_the_history_was_cut_stays_when_a_late_event_comes() -> None:
    old = policy_set(commitment(p1="9h"))
    new = policy_set(commitment(p1="9h"), commitment("first_response", p1="9h"))
    ticket = busy((0, old), (3 * HOUR + 1, new)).event(changed(4 * HOUR + 1, status="solved"))

    assert ticket.state is not None
    assert ticket.state.base is not None
    assert sorted(effect.commitment for effect in ticket.effects if effect.kind is Kind.MET) == ["first_response", "resolution"]
    assert not ticket.lines("retracted")


def test_an_event_from_before_a_deployment_that_the_cut_history_cannot_repeat_is_too_late() -> None:
    old = policy_set(commitment())
    ticket = busy((0, old), (3 * HOUR + 2, policy_set(commitment(), commitment("first_response"))))
    before = ticket.event(changed(3 * HOUR + 1, team="a")).steps[-1]
    at = ticket.event(changed(3 * HOUR + 2, team="b")).steps[-1]

    assert (before.outcome, at.outcome) == (Outcome.TOO_LATE, Outcome.LATE)


def test_a_deployment_that_builds_a_metric_after_the_newest_event_leaves_nothing_of_a_history_that_is_cut() -> None:
    new = policy_set(commitment(p1="9h"), commitment("first_response", p1="9h"))
    ticket = life((0, policy_set(commitment(p1="9h"))), (6 * HOUR, new), history=4)
    for event in [created(HOUR), *[changed(hour * HOUR, team=str(hour)) for hour in (2, 3, 5)]]:
        ticket.event(event)
    ticket.wake(7 * HOUR).event(changed(4 * HOUR, team="4"))

    assert ticket.state is not None
    assert codec.decode(codec.encode(ticket.state)) == ticket.state
    assert ticket.state.history == []
    assert ticket.event(changed(5 * HOUR + 1, team="b")).steps[-1].outcome is Outcome.TOO_LATE
    assert ticket.event(changed(6 * HOUR, status="solved")).steps[-1].outcome is Outcome.APPLIED
    assert ticket.lines("met", "retracted") == ["met @6h", "met @6h"]


def test_an_event_from_before_a_deployment_that_gave_way_after_the_newest_event_stays_too_late() -> None:
    old = policy_set(commitment(p1="30h"))
    ticket = life((0, old), (8 * HOUR, policy_set(commitment(p1="30h"), commitment("first_response", p1="30h"))), history=4)
    for event in [created(HOUR), *[changed(hour * HOUR, team=str(hour)) for hour in (2, 3, 5)]]:
        ticket.event(event)
    ticket.wake(9 * HOUR).event(changed(4 * HOUR, team="4"))
    ticket.engine.deployments = ticket.engine.deployments.add(2, 6 * HOUR, policy_set(commitment(p1="20h")))
    ticket.wake(10 * HOUR)

    assert ticket.lines("retargeted", "cancelled") == ["retargeted @8h", "cancelled @8h"]
    assert ticket.event(changed(7 * HOUR, team="7")).steps[-1].outcome is Outcome.TOO_LATE
    assert ticket.event(changed(8 * HOUR, status="solved")).steps[-1].outcome is Outcome.APPLIED
    assert not ticket.lines("retracted")


def test_a_deployment_from_before_a_history_that_is_cut_judges_the_ticket_from_there_on() -> None:
    ticket = busy((0, policy_set(commitment(p1="9h"))))
    ticket.engine.deployments = ticket.engine.deployments.add(
        1, 2 * HOUR, policy_set(commitment(p1="90m")), Origin(1, rejudges=True)
    )
    step = ticket.wake(6 * HOUR).steps[-1]

    assert step.cut
    assert [(effect.kind, effect.at) for effect in step.effects] == [
        (Kind.RETARGETED, 3 * HOUR),
        (Kind.BREACHED, 3 * HOUR),
    ]
    assert ticket.wake(7 * HOUR).steps[-1].effects == ()


def test_renames_of_several_deployments_from_before_a_history_that_is_cut_are_all_met() -> None:
    renamed = replace(commitment(p1="9h"), name="fix", was="resolution")
    ticket = busy((0, policy_set(commitment(p1="9h"))))
    deployments = ticket.engine.deployments.add(1, HOUR, policy_set(renamed), Origin(1, rejudges=True))
    ticket.engine.deployments = deployments.add(2, 2 * HOUR, policy_set(replace(renamed, was="", objective=0.9)))
    ticket.wake(6 * HOUR)

    assert ticket.lines() == ["started @1h", "retargeted @3h"]
    assert ticket.effects[-1].reason is Reason.RENAMED
    assert ticket.state is not None
    assert [one.commitment for one in open_commitments(ticket.state)] == ["fix"]


def test_renames_that_gave_way_before_a_history_that_is_cut_are_undone_and_those_in_their_place_are_done() -> None:
    managers = ladder(("lead", share(10)), on="resolution")
    levels = (replace(managers.levels[0], name="duty", was="lead"),)
    mistaken = replace(commitment(p1="9h"), name="care", was="resolution")
    renamed = replace(commitment(p1="9h"), name="fix", was="resolution")
    up = replace(managers, name="up", was="ladder", levels=levels, commitment="fix")
    last = replace(up, was="", levels=(replace(levels[0], was=""),))
    care = replace(managers, name="help", was="ladder", commitment="care")
    ticket = busy((0, policy_set(commitment(p1="9h"), ladders=(managers,))), (2 * HOUR, policy_set(mistaken, ladders=(care,))))
    deployments = ticket.engine.deployments.add(2, HOUR, policy_set(renamed, ladders=(up,)), Origin(1, rejudges=True))
    ticket.engine.deployments = deployments.add(3, 2 * HOUR, policy_set(replace(renamed, was=""), ladders=(last,)))
    ticket.wake(6 * HOUR)

    assert ticket.state is not None
    assert [one.commitment for one in open_commitments(ticket.state)] == ["fix"]
    assert {name: one.raised for name, one in ticket.state.head.escalations.items()} == {"up": ("duty",)}
    assert not ticket.lines("cancelled")
    assert not ticket.lines("released")


def test_an_event_after_a_deployment_that_became_known_late_corrects_what_was_emitted() -> None:
    ticket = Life(Deployments.fixed(policy_set(commitment("resolution")))).event(created(0)).wake(5 * HOUR)
    ticket.engine.deployments = ticket.engine.deployments.add(1, HOUR, policy_set(commitment("resolution", p1="8h")))

    ticket.event(changed(6 * HOUR, team="other"))

    assert ticket.lines("breached", "breach_retracted") == ["breached @4h", "breach_retracted @4h"]
    assert ticket.state is not None
    assert ticket.state.wake_at == 8 * HOUR + 1


def test_of_new_levels_that_are_past_and_wait_for_business_hours_only_the_highest_is_raised() -> None:
    office = read("office", {"timezone": "UTC", "week": {"mon-sun": ["09:00-17:00"]}})
    one = ladder(("agent", share(90)), ("lead", share(95)), on="resolution", of_level={"only_in_business_hours": True})
    new = ladder(("agent", share(10)), ("lead", share(20)), on="resolution", of_level={"only_in_business_hours": True})
    old, after = (policy_set(commitment(p1="20h"), ladders=(each,), calendar=office) for each in (one, new))
    ticket = life((0, old), (6 * HOUR, after)).event(created(0)).wake(7 * HOUR)

    assert ticket.state is not None
    kept = ticket.state.head.escalations["ladder"]
    assert (kept.raised, kept.passed_over, kept.next) == ((), ("agent",), 9 * HOUR)
    assert codec.decode(codec.encode(ticket.state)) == ticket.state
    assert ticket.wake(10 * HOUR).lines("raised") == ["raised lead @9h"]


def test_levels_that_waited_for_business_hours_before_a_deployment_are_raised_all_the_same() -> None:
    office = read("office", {"timezone": "UTC", "week": {"mon-sun": ["09:00-17:00"]}})
    levels = (("agent", share(10)), ("lead", share(20)))
    old = ladder(*levels, on="resolution", of_level={"only_in_business_hours": True})
    new = replace(old, levels=(*old.levels, replace(old.levels[0], name="manager", at=Choice.fixed(share(25)))))
    before, after = (policy_set(commitment(p1="20h"), ladders=(each,), calendar=office) for each in (old, new))
    ticket = life((0, before), (6 * HOUR, after)).event(created(0)).wake(10 * HOUR)

    assert ticket.lines("raised") == ["raised agent @9h", "raised lead @9h", "raised manager @9h"]


def test_levels_whose_business_hours_begin_at_a_deployment_are_raised_by_time() -> None:
    office = read("office", {"timezone": "UTC", "week": {"mon-sun": ["09:00-17:00"]}})
    levels = ladder(("agent", share(10)), ("lead", share(20)), on="resolution", of_level={"only_in_business_hours": True})
    before, after = (policy_set(commitment(p1=each), ladders=(levels,), calendar=office) for each in ("20h", "19h"))
    ticket = life((0, before), (9 * HOUR, after)).event(created(0)).wake(10 * HOUR)

    raised = [(effect.level, effect.at, effect.cause) for effect in ticket.effects if effect.kind is Kind.RAISED]
    assert raised == [("agent", 9 * HOUR, "timer"), ("lead", 9 * HOUR, "timer")]


def test_levels_whose_business_hours_begin_by_a_deployment_are_raised_by_it() -> None:
    hours = "09:00-17:00", "07:00-17:00"
    office, early = (read("office", {"timezone": "UTC", "week": {"mon-sun": [each]}}) for each in hours)
    levels = ladder(("agent", share(10)), ("lead", share(20)), on="resolution", of_level={"only_in_business_hours": True})
    before, after = (policy_set(commitment(p1="20h"), ladders=(levels,), calendar=each) for each in (office, early))
    ticket = life((0, before), (8 * HOUR, after)).event(created(0)).wake(10 * HOUR)

    raised = [(effect.level, effect.at, effect.cause) for effect in ticket.effects if effect.kind is Kind.RAISED]
    assert raised == [("lead", 8 * HOUR, "deployment:1")]


def test_a_calendar_that_changed_with_the_fields_is_no_change_by_the_next_deployment() -> None:
    office = read("office", {"timezone": "UTC", "week": {"mon-sun": ["09:00-17:00"]}})
    calendar = Choice(((FieldIn("team", frozenset({"a"})), "office"), (EVERY, AROUND_THE_CLOCK.name)))

    def policies(target: str) -> PolicySet:
        policy = Policy("p", 1, calendar, commitments=(commitment(p1="20h"), commitment("first_response", p1=target)))
        return PolicySet((policy,), {"office": office, AROUND_THE_CLOCK.name: AROUND_THE_CLOCK})

    ticket = life((0, policies("10h")), (6 * HOUR, policies("11h")))
    ticket.event(created(0, team="a")).event(changed(HOUR, team="b")).wake(7 * HOUR)

    retargeted = [effect.commitment for effect in ticket.effects if effect.kind is Kind.RETARGETED]
    assert retargeted == ["first_response"]


def test_a_request_is_refused_where_a_ladder_came_back_on_another_metric_after_the_ticket_was_solved() -> None:
    asks = ladder(("lead", used("8h")), on_request="lead")
    metric = Metric("p/ladder#other", starts=BEGUN, stops=SOLVED, pauses=FieldIn("status", frozenset({"on_hold"})))
    there, without, back = (policy_set(ladders=ladders) for ladders in ((asks,), (), (replace(asks, metric=metric),)))
    ticket = (
        life((0, there), (4 * HOUR, without), (6 * HOUR, back)).event(created(HOUR)).event(changed(3 * HOUR, status="solved"))
    )
    ticket.event(Event(7 * HOUR, "ask", "escalation.requested", "test")).wake(8 * HOUR)

    assert [(effect.kind, effect.reason) for effect in ticket.effects] == [(Kind.REFUSED, Reason.SOLVED)]


def test_what_was_past_when_it_was_deployed_is_measured_for_that_reason() -> None:
    both = policy_set(commitment("first_response", p1="1h"), commitment("resolution"))
    ticket = life((0, policy_set(commitment("first_response", p1="1h"))), (10 * HOUR, both)).event(created(0))

    ticket.event(changed(12 * HOUR, status="solved"))

    found = [(effect.kind, effect.reason) for effect in ticket.effects if effect.commitment == "resolution"]
    assert found == [(Kind.STARTED, Reason.PAST_WHEN_PROMISED), (Kind.MEASURED, Reason.PAST_WHEN_PROMISED)]
