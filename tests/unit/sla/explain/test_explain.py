"""Explanations read line by line: which spans count, where they end and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from stream.language.calendars import read_calendar
from stream.observe.pages import phrasing
from stream.sla.calendar.duration import Clock, Duration
from stream.sla.effects import TIMER, Kind, Reason
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.explain.explain import explain, explain_state
from stream.sla.explain.explanation import CALENDAR, Deadline, Outcome
from stream.sla.policy.conditions import FieldIn
from stream.sla.policy.policy import Choice, Commitment, OnChange, Policy
from stream.sla.policy.resolve import PolicySet
from stream.testing import instant
from stream.wire.explanation import encode_explanation
from tests.unit.sla.given import HOUR, MINUTE, after, changed, commented, commitment, created, ladder, policy_set, share, used

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar

SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[4] / "schemas" / "explanation.v1.json").read_text()))
PLAIN = policy_set(commitment("resolution"))


def calendar(name: str = "office", **more: Any) -> Calendar:
    def fail(where: tuple[str | int, ...], message: str) -> None:
        raise AssertionError((where, message))

    data = {"timezone": "Asia/Kolkata", "week": {"mon-fri": ["09:00-17:00"]}, **more}
    found = read_calendar(name, data, fail)
    assert found is not None
    return found


def at(text: str) -> int:
    return instant(text, "Asia/Kolkata")


def explained(policies: PolicySet, *events: Event, until: int | None = None) -> tuple[Deadline, ...]:
    """Every explanation of this file also has to keep its JSON contract."""
    explanation = explain(policies, "T", events, until)
    SCHEMA.validate(json.loads(encode_explanation(explanation)))
    return explanation.deadlines


def one(policies: PolicySet, *events: Event, until: int | None = None) -> Deadline:
    (deadline,) = explained(policies, *events, until=until)
    return deadline


def test_a_deadline_that_can_never_come_is_explained_as_such() -> None:
    hotline = calendar("hotline", week="closed", exceptions=[{"date": "2026-11-03", "open": ["08:00-12:00"]}])
    policies = policy_set(commitment("resolution", p1="2bh"), calendar=hotline)
    deadline = one(policies, created(at("2026-11-03 11:00")), until=at("2026-11-04 09:00"))
    assert (deadline.due, deadline.never, deadline.verdict) == (None, True, Outcome.PENDING)
    assert phrasing.due(deadline, "UTC") == "never: hotline is not open for that long any more"
    assert json.loads(encode_explanation(explain(policies, "T", [created(at("2026-11-03 11:00"))])))["deadlines"][0]["never"]
    paused = one(
        policies,
        created(at("2026-11-03 11:00")),
        changed(at("2026-11-03 11:30"), status="pending"),
        until=at("2026-11-04 09:00"),
    )
    assert (paused.never, phrasing.due(paused, "UTC")) == (False, "unknown while paused")
    in_time = one(policies, created(at("2026-11-03 09:00")))
    assert (in_time.due, in_time.never) == (at("2026-11-03 11:00"), False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("+1 business day at 16:00", "by 16:00 on the next business day"),
        ("+1 business day at close", "by the end of the next business day"),
        ("+0 business days at close", "by the end of the same business day"),
        ("+3 business days at 09:00:30", "by 09:00:30 on the 3rd business day after the start"),
        ("+11 business days at close", "by the end of the 11th business day after the start"),
        ("+5 business days", "5 business days later at the same time of day"),
        ("+1 business day", "1 business day later at the same time of day"),
        ("+1 business day at close cutoff 15:00", "by the end of the next business day, counted from the next one after 15:00"),
    ],
)
def test_a_delay_is_explained_in_words_that_a_customer_can_follow(text: str, words: str) -> None:
    assert phrasing.delay(text) == words


def test_the_spans_of_a_delay_add_up_to_its_business_time_and_reach_to_its_end() -> None:
    policies = policy_set(commitment("resolution", p1="+1 business day at 20:00"), calendar=calendar())
    story = [created(at("2026-11-16 10:00")), changed(at("2026-11-16 11:00"), status="pending")]
    story.append(changed(at("2026-11-16 18:00"), status="open"))
    before = one(policies, story[0])
    assert (before.due, before.target, before.delay) == (at("2026-11-17 20:00"), 15 * HOUR, "+1 business day at 20:00")
    assert phrasing.target(before) == "by 20:00 on the next business day: 15:00:00 of business time"
    assert sum(span.counted for span in before.spans) == before.due_after == 15 * HOUR
    assert before.spans[-1].end == before.due
    moved = one(policies, *story)
    assert (moved.due, moved.due_after) == (at("2026-11-18 15:00"), 15 * HOUR)
    assert sum(span.counted for span in moved.spans) == 15 * HOUR


def test_a_delay_to_a_business_day_that_does_not_come_is_explained_as_such() -> None:
    fair = calendar("fair", week="closed", exceptions=[{"date": "2026-11-16", "open": ["09:00-17:00"]}])
    deadline = one(policy_set(commitment("resolution", p1="+1 business day"), calendar=fair), created(at("2026-11-16 10:00")))
    later = one(
        policy_set(commitment("resolution", p1="+1 business day"), calendar=fair),
        created(at("2026-11-16 10:00")),
        until=at("2026-11-16 12:00"),
    )
    assert (deadline.target, later.due, later.never) == (None, None, True)
    assert phrasing.due(later, "UTC") == "never: fair has no such business day"
    assert phrasing.target(later) == "1 business day later at the same time of day"


def metrics(deadline: Deadline) -> list[tuple[float, float, str, float]]:
    """From and to in hours, kind, and hours counted."""
    return [(s.start / HOUR, s.end / HOUR, s.kind.value, s.counted / HOUR) for s in deadline.spans]


def test_a_running_deadline_is_shown_up_to_where_it_will_be_if_nothing_else_happens() -> None:
    deadline = one(PLAIN, created(0), until=1 * HOUR)

    assert metrics(deadline) == [(0, 1, "running", 1), (1, 4, "running", 3)]
    assert [span.expected for span in deadline.spans] == [False, True]
    assert (deadline.verdict, deadline.due, deadline.elapsed, deadline.ended) == (Outcome.PENDING, 4 * HOUR, 1 * HOUR, None)
    assert [(m.kind, m.at) for m in deadline.moments if m.expected] == [(Kind.BREACHED, 4 * HOUR)]


def test_a_pause_is_a_span_that_names_the_event_and_what_it_changed() -> None:
    deadline = one(
        PLAIN, created(0, status="open"), changed(1 * HOUR, status="pending"), changed(3 * HOUR, status="open"), until=5 * HOUR
    )

    assert metrics(deadline) == [(0, 1, "running", 1), (1, 3, "paused", 0), (3, 5, "running", 2), (5, 6, "running", 1)]
    pause = deadline.spans[1]
    assert (pause.cause, pause.change) == (f"f{HOUR}-status", "status: open -> pending")
    assert (deadline.due, deadline.elapsed, deadline.paused) == (6 * HOUR, 3 * HOUR, 2 * HOUR)


def test_the_time_between_a_deletion_and_the_restoration_is_a_span_that_does_not_count() -> None:
    deleted = Event(1 * HOUR, "d", "ticket.deleted", "test")
    restored = Event(3 * HOUR, "r", "ticket.restored", "test")

    while_deleted = one(PLAIN, created(0), deleted, until=2 * HOUR)
    deadline = one(PLAIN, created(0), deleted, restored, until=4 * HOUR)

    assert (while_deleted.verdict, while_deleted.reason, while_deleted.ended) == (
        Outcome.CANCELLED,
        Reason.DELETED,
        1 * HOUR,
    )
    assert metrics(deadline) == [(0, 1, "running", 1), (1, 3, "ended", 0), (3, 4, "running", 1), (4, 6, "running", 2)]
    assert (deadline.spans[1].cause, deadline.spans[1].change) == ("d", "ticket deleted")
    assert (deadline.verdict, deadline.reason, deadline.due, deadline.elapsed) == (Outcome.PENDING, None, 6 * HOUR, 2 * HOUR)


def test_a_reopening_before_or_after_a_restoration_keeps_its_own_kind_of_span() -> None:
    events = [
        created(0),
        changed(1 * HOUR, status="solved"),
        changed(2 * HOUR, status="open"),
        Event(2 * HOUR, "d", "ticket.deleted", "test", 1),
        Event(3 * HOUR, "r", "ticket.restored", "test"),
        Event(3 * HOUR, "x", "ticket.merged", "test", 1, into="U"),
        Event(4 * HOUR, "s", "ticket.restored", "test"),
        changed(5 * HOUR, status="solved"),
        changed(6 * HOUR, status="open"),
    ]

    assert metrics(one(PLAIN, *events, until=6 * HOUR))[:6] == [
        (0, 1, "running", 1),
        (1, 2, "solved", 0),
        (2, 3, "ended", 0),
        (3, 4, "ended", 0),
        (4, 5, "running", 1),
        (5, 6, "solved", 0),
    ]


def test_a_paused_deadline_has_no_instant_and_ends_at_the_present() -> None:
    deadline = one(PLAIN, created(0), changed(1 * HOUR, status="pending"), until=9 * HOUR)

    assert metrics(deadline) == [(0, 1, "running", 1), (1, 9, "paused", 0)]
    assert deadline.due is None


def test_the_deadline_itself_has_not_passed_at_its_own_instant() -> None:
    assert one(PLAIN, created(0), until=4 * HOUR).verdict is Outcome.PENDING
    assert one(PLAIN, created(0), until=4 * HOUR + 1).verdict is Outcome.BREACHED


def test_a_breach_is_explained_on_to_its_late_end() -> None:
    deadline = one(PLAIN, created(0), changed(7 * HOUR, status="solved"), until=50 * HOUR)

    assert metrics(deadline) == [(0, 4, "running", 4), (4, 7, "running", 3)]
    assert (deadline.verdict, deadline.reason, deadline.ended) == (Outcome.MET_LATE, Reason.FULFILLED_LATE, 7 * HOUR)
    assert (deadline.due, deadline.spans[1].cause, deadline.spans[1].change) == (4 * HOUR, TIMER, "commitment.breached")


def test_time_between_solution_and_reopening_is_a_span_that_counts_nothing() -> None:
    deadline = one(PLAIN, created(0), changed(3 * HOUR, status="solved"), changed(10 * HOUR, status="open"))

    assert metrics(deadline) == [(0, 3, "running", 3), (3, 10, "solved", 0), (10, 11, "running", 1)]
    assert (deadline.verdict, deadline.reason, deadline.due) == (Outcome.PENDING, None, 11 * HOUR)


def test_closed_hours_and_holidays_are_spans_of_their_own_with_the_name_of_the_holiday() -> None:
    office = calendar(holidays=[{"date": "2026-11-17", "name": "Jubilee"}], breaks={"mon-fri": ["12:00-13:00"]})
    policies = policy_set(commitment("resolution", p1="8bh"), calendar=office)
    deadline = one(policies, created(at("2026-11-16 11:00")))

    shown = [(s.end, s.kind.value, s.counted / HOUR, s.note) for s in deadline.spans]
    assert shown == [
        (at("2026-11-16 12:00"), "running", 1, ""),
        (at("2026-11-16 13:00"), "closed", 0, "break"),
        (at("2026-11-16 17:00"), "running", 4, ""),
        (at("2026-11-17 00:00"), "closed", 0, ""),
        (at("2026-11-18 00:00"), "holiday", 0, "Jubilee"),
        (at("2026-11-18 09:00"), "closed", 0, ""),
        (at("2026-11-18 12:00"), "running", 3, ""),
    ]
    assert deadline.spans[0].cause == f"c{at('2026-11-16 11:00')}"
    assert {span.cause for span in deadline.spans[1:]} == {CALENDAR}
    assert (deadline.due, deadline.due_after) == (at("2026-11-18 12:00"), 8 * HOUR)


def test_a_wall_target_counts_closed_hours_too() -> None:
    policies = policy_set(commitment("resolution", p1="30h"), calendar=calendar())
    deadline = one(policies, created(at("2026-11-16 16:00")))

    assert [(span.kind, span.counted) for span in deadline.spans] == [("running", 30 * HOUR)]
    assert deadline.clock is Clock.WALL


def test_a_new_version_of_the_calendar_counts_from_its_date_on() -> None:
    longer = {"since": "2026-11-17", "week": {"mon-fri": ["08:00-18:00"]}}
    policies = policy_set(commitment("resolution", p1="12bh"), calendar=calendar(versions=[longer]))
    deadline = one(policies, created(at("2026-11-16 15:00")))

    assert [s.counted // HOUR for s in deadline.spans if s.counted] == [2, 10]
    assert (deadline.due, deadline.calendar_versions) == (at("2026-11-17 18:00"), ("first", "2026-11-17"))
    before = one(policies, created(at("2026-11-09 15:00")))
    assert (before.due, before.calendar_versions) == (at("2026-11-11 11:00"), ("first",))


def test_a_spring_night_is_as_long_as_it_really_lasts() -> None:
    night = calendar(timezone="Europe/Berlin", week={"sat": ["22:00-06:00"]}, day="8h")
    policies = policy_set(commitment("resolution", p1="7bh"), calendar=night)
    deadline = one(policies, created(instant("2026-03-28 22:00", "Europe/Berlin")))

    assert [(span.kind, span.counted) for span in deadline.spans] == [("running", 7 * HOUR)]
    assert deadline.due == instant("2026-03-29 06:00", "Europe/Berlin")


def test_a_new_target_carries_the_time_used_and_the_change_is_a_line_at_its_instant() -> None:
    deadline = one(PLAIN, created(0, "p2"), changed(1 * HOUR, priority="p1"))

    assert metrics(deadline) == [(0, 1, "running", 1), (1, 4, "running", 3)]
    assert (deadline.spans[1].cause, deadline.spans[1].change) == (f"f{HOUR}-priority", "priority: p2 -> p1")
    change = next(moment for moment in deadline.moments if moment.kind is Kind.RETARGETED)
    assert (change.at, change.target, change.due) == (1 * HOUR, 4 * HOUR, 4 * HOUR)
    assert (deadline.target, deadline.due_after) == (4 * HOUR, 4 * HOUR)


def test_a_deadline_in_the_past_shows_the_instant_and_breaches_at_the_change() -> None:
    deadline = one(PLAIN, created(0, "p2"), changed(6 * HOUR, priority="p1"), until=7 * HOUR)

    assert metrics(deadline) == [(0, 4, "running", 4), (4, 6, "running", 2), (6, 7, "running", 1)]
    assert (deadline.due, deadline.reason) == (4 * HOUR, Reason.RETARGETED_PAST_DUE)
    assert [m.at for m in deadline.moments if m.kind is Kind.BREACHED] == [6 * HOUR]
    assert (deadline.spans[1].cause, deadline.spans[1].change) == (TIMER, "due")


def test_a_target_that_runs_from_the_change_on_is_due_after_what_was_used_and_itself() -> None:
    policies = policy_set(commitment("resolution", on_change=OnChange.FORWARD))
    deadline = one(policies, created(0, "p2"), changed(3 * HOUR, priority="p1"))

    assert metrics(deadline) == [(0, 3, "running", 3), (3, 7, "running", 4)]
    assert (deadline.target, deadline.due_after, deadline.due, deadline.elapsed) == (4 * HOUR, 7 * HOUR, 7 * HOUR, 3 * HOUR)


def test_a_count_begun_anew_sets_aside_what_ran_before() -> None:
    policies = policy_set(commitment("resolution", on_change=OnChange.RESET))
    deadline = one(policies, created(0, "p2"), changed(3 * HOUR, priority="p1"), until=5 * HOUR)

    assert metrics(deadline) == [(0, 3, "set_aside", 0), (3, 5, "running", 2), (5, 7, "running", 2)]
    assert (deadline.due_after, deadline.due, deadline.elapsed) == (4 * HOUR, 7 * HOUR, 2 * HOUR)


def test_a_change_of_calendar_counts_all_that_ran_on_the_new_one() -> None:
    office, always = calendar(), calendar("always", week="24x7", day="8h")
    choice = Choice(((FieldIn("priority", frozenset({"p1"})), "always"), *Choice.fixed("office").cases))
    policy = Policy("p", 1, choice, commitments=(commitment("resolution", p1="20bh", p2="8bh"),))
    policies = PolicySet((policy,), {"office": office, "always": always})
    start = at("2026-11-16 16:00")
    deadline = one(policies, created(start, "p2"), changed(start + 5 * HOUR, priority="p1"))

    assert (deadline.calendar, deadline.elapsed, deadline.due) == ("always", 5 * HOUR, start + 20 * HOUR)
    assert {span.kind for span in deadline.spans} == {"running"}


def test_an_extension_is_a_line_and_part_of_the_target() -> None:
    extended = Commitment(
        "resolution",
        commitment("resolution").metric,
        Choice.fixed(Duration.parse("4h")),
        extension_cap=Duration.parse("3h"),
    )
    grant = Event(2 * HOUR, "x", "extension.granted", "test", commitment="resolution", by="3h")
    deadline = one(policy_set(extended), created(0), grant)

    assert (deadline.target, deadline.extension, deadline.due_after, deadline.due) == (4 * HOUR, 3 * HOUR, 7 * HOUR, 7 * HOUR)
    assert [(m.reason, m.change) for m in deadline.moments if m.kind is Kind.RETARGETED] == [
        (Reason.EXTENSION, "resolution extended by 3h")
    ]


def test_warnings_and_levels_are_lines_between_the_spans() -> None:
    policies = policy_set(commitment("resolution", share(50)), ladders=(ladder(("lead", share(75)), on="resolution"),))
    deadline = explained(policies, created(0), until=2 * HOUR + 1)[0]

    assert [(m.kind.value, m.level, m.at / HOUR, m.expected) for m in deadline.moments] == [
        ("commitment.started", "", 0, False),
        ("commitment.warned", "50%", 2, False),
        ("escalation.raised", "lead", 3, True),
        ("commitment.breached", "", 4, True),
    ]


def test_every_cycle_is_explained_by_itself() -> None:
    first, second = explained(
        policy_set(commitment("next_response", p1="4h")),
        created(0),
        commented(1 * HOUR),
        commented(2 * HOUR, "customer"),
        commented(3 * HOUR),
        commented(10 * HOUR, "customer"),
        until=11 * HOUR,
    )

    assert (first.cycle, first.verdict, first.began, first.ended) == (1, Outcome.MET, 2 * HOUR, 3 * HOUR)
    assert (second.cycle, second.verdict, second.due, second.elapsed) == (2, Outcome.PENDING, 14 * HOUR, 1 * HOUR)


def test_an_answer_that_ends_one_cycle_and_begins_the_next_belongs_to_both() -> None:
    first, second = explained(
        policy_set(commitment("periodic_update", p1="4h")), created(0), commented(1 * HOUR), commented(3 * HOUR)
    )

    assert (first.verdict, first.ended, metrics(first)) == (Outcome.MET, 3 * HOUR, [(1, 3, "running", 2)])
    assert (second.began, second.verdict, second.due) == (3 * HOUR, Outcome.PENDING, 7 * HOUR)


def test_where_there_is_no_target_the_time_is_measured_and_no_deadline_invented() -> None:
    deadline = one(PLAIN, created(0, "p4"), changed(9 * HOUR, status="solved"))

    assert (deadline.verdict, deadline.target, deadline.due, deadline.elapsed) == (Outcome.MEASURED, None, None, 9 * HOUR)


def test_a_commitment_that_ceased_to_apply_ends_there() -> None:
    policies = policy_set(commitment("resolution"), applies_to=FieldIn("contract", frozenset({"gold"})))
    deadline = one(policies, created(0, contract="gold"), changed(2 * HOUR, contract="tin"), until=90 * HOUR)

    assert (deadline.verdict, deadline.reason, deadline.ended) == (Outcome.CANCELLED, Reason.NO_LONGER_APPLIES, 2 * HOUR)
    assert metrics(deadline) == [(0, 2, "running", 2)]


def test_a_commitment_that_began_to_apply_later_counts_from_the_start_of_its_clock() -> None:
    policies = policy_set(commitment("resolution"), applies_to=FieldIn("contract", frozenset({"gold"})))
    deadline = one(policies, created(0), changed(2 * HOUR, contract="gold"))

    assert (deadline.began, deadline.due) == (0, 4 * HOUR)
    assert [(m.kind, m.at) for m in deadline.moments if not m.expected] == [(Kind.STARTED, 2 * HOUR)]


def test_the_version_in_force_when_the_clock_started_is_named() -> None:
    versions = tuple(
        Policy("p", number, Choice.fixed("24x7"), since=since, commitments=(commitment("resolution", p1=target),))
        for number, since, target in ((1, None, "4h"), (2, 10 * HOUR, "2h"))
    )
    policies = PolicySet(versions, PLAIN.calendars)

    old, new = one(policies, created(9 * HOUR)), one(policies, created(10 * HOUR))
    assert (old.policy_version, old.target) == (1, 4 * HOUR)
    assert (new.policy_version, new.target) == (2, 2 * HOUR)


def test_levels_are_explained_whether_raised_awaited_or_out_of_sight() -> None:
    policies = policy_set(
        commitment("resolution"), ladders=(ladder(("lead", share(75)), ("executive", after("2h")), on="resolution"),)
    )
    _, lead, executive = explained(policies, created(0), until=3 * HOUR + 30 * MINUTE)

    assert (lead.verdict, lead.reason, lead.due, lead.target) == (Outcome.RAISED, Reason.SHARE_USED, 3 * HOUR, 3 * HOUR)
    assert (executive.verdict, executive.threshold, executive.due) == (Outcome.PENDING, "+2h", 6 * HOUR)
    assert (executive.due_after, sum(s.counted for s in executive.spans)) == (6 * HOUR, 6 * HOUR)

    _, _, paused = explained(policies, created(0), changed(1 * HOUR, status="pending"), until=3 * HOUR)
    assert (paused.verdict, paused.due) == (Outcome.PENDING, None)
    _, lead, executive = explained(policies, created(0), changed(1 * HOUR, status="solved"), until=3 * HOUR)
    assert {(level.verdict, level.ended) for level in (lead, executive)} == {(Outcome.NOT_RAISED, 1 * HOUR)}


def test_a_level_below_one_that_was_asked_for_is_passed_over() -> None:
    policies = policy_set(ladders=(ladder(("team", used("4h")), ("manager", used("8h")), on_request="manager"),))
    ask = Event(1 * HOUR, "a", "escalation.requested", "test", actor="customer")
    team, manager = explained(policies, created(0), ask, until=20 * HOUR)

    assert (team.verdict, team.ended) == (Outcome.PASSED_OVER, 1 * HOUR)
    assert (manager.verdict, manager.reason, manager.due) == (Outcome.RAISED, Reason.REQUESTED, 1 * HOUR)


def test_events_after_the_instant_asked_for_are_left_out_and_counted() -> None:
    explanation = explain(PLAIN, "T", [created(0), changed(2 * HOUR, status="solved")], 1 * HOUR)

    assert (explanation.events, explanation.later) == (1, 1)
    assert explanation.deadlines[0].verdict is Outcome.PENDING


def test_order_and_repetition_of_the_events_do_not_matter() -> None:
    events = [created(0), changed(1 * HOUR, status="pending"), changed(3 * HOUR, status="open")]

    assert explain(PLAIN, "T", [*reversed(events), *events]) == explain(PLAIN, "T", events)


def test_a_ticket_whose_creation_was_not_seen_is_shown_as_partial() -> None:
    assert explain(PLAIN, "T", [changed(1 * HOUR, priority="p1")]).partial


@pytest.mark.parametrize("history", [2, 200])
def test_a_stored_ticket_with_its_history_cut_shows_since_when_it_is_known(history: int) -> None:
    engine, state = Engine(PLAIN, history=history), None
    for number, status in enumerate(["open", "pending", "open", "pending", "open"]):
        event = changed(number * HOUR, status=status) if number else created(0)
        state = engine.apply(state, "T", event, event.at).state
    assert state is not None
    explanation = explain_state(PLAIN, state)

    (deadline,) = explanation.deadlines
    assert explanation.known_since == (None if history == 200 else 3 * HOUR)
    assert [s.kind.value for s in deadline.spans] == ["running", "paused", "running", "paused", "running"]
    assert (deadline.due, deadline.elapsed) == (6 * HOUR, 2 * HOUR)
    assert deadline.spans[0].cause == ("" if history == 2 else "c0")
    assert deadline.spans[-1].cause == f"f{4 * HOUR}-status"


def test_a_stored_ticket_is_explained_as_of_the_last_deadline_that_passed() -> None:
    engine = Engine(PLAIN)
    state = engine.apply(None, "T", created(0), 0).state
    state = engine.wake(state, 5 * HOUR).state

    explanation = explain_state(PLAIN, state)

    assert explanation.until > 4 * HOUR
    assert explanation.deadlines[0].verdict is Outcome.BREACHED


@pytest.mark.parametrize(("history", "due"), [(2, "not known: it was raised before the history that is kept"), (200, None)])
def test_a_level_raised_before_the_history_that_is_kept_states_why_it_has_no_time(history: int, due: str | None) -> None:
    policies = policy_set(commitment("resolution"), ladders=(ladder(("lead", used("1h"))),))
    engine = Engine(policies, history=history)
    state = engine.apply(None, "T", created(0), 0).state
    state = engine.wake(state, 1 * HOUR).state
    for number, status in enumerate(["pending", "open", "pending", "open"]):
        event = changed((number + 2) * HOUR, status=status)
        state = engine.apply(state, "T", event, event.at).state
    assert state is not None

    level = explain_state(policies, state).deadlines[-1]

    assert (level.level, level.verdict) == ("lead", Outcome.RAISED)
    assert (level.due is None) is (history == 2)
    assert phrasing.due(level, "UTC") == (due or phrasing.when(1 * HOUR, "UTC"))
