"""Clocks that start at the date of a ticket field, where a story cannot show it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stream.sla.calendar.zone import UTC_ZONE
from stream.sla.codec import codec
from stream.sla.effects import TIMER
from stream.sla.events import Event
from stream.sla.explain.explain import explain, explain_state
from stream.sla.explain.terms import Term
from stream.sla.policy.conditions import ALWAYS, FieldIn
from stream.sla.policy.date_problems import WrongDate, wrong_dates
from stream.sla.policy.metric import SOLVED, Again, Metric
from stream.sla.policy.timeline import Deployments
from stream.sla.step import Outcome
from tests.unit.sla.given import HOUR, Life, by_priority, changed, commitment, created, policy_set, run

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet

DAY = 24 * HOUR
DELIVERY = Metric("delivery", starts=ALWAYS, stops=SOLVED, again=Again.CYCLE, starts_at="planned", zone=UTC_ZONE)


def on(metric: Metric) -> PolicySet:
    return policy_set(replace(commitment("resolution"), name="delivery", metric=metric, target=by_priority(p1="4h", p2="8h")))


POLICIES = on(DELIVERY)
SECOND = "1970-01-02"
THIRD = "1970-01-03T06:00"


def test_the_clock_starts_at_the_date_by_the_timer() -> None:
    life = run(POLICIES, created(HOUR, planned=SECOND))

    assert life.lines() == ["started @24h", "breached @28h"]
    assert [effect.cause for effect in life.effects] == [TIMER, TIMER]


def test_the_worker_wakes_for_the_date_and_a_closed_ticket_waits_for_none() -> None:
    life = Life(POLICIES).event(created(HOUR, planned=SECOND))
    assert life.state is not None
    assert (life.state.wake_at, life.state.ended) == (DAY + 1, None)

    life.event(changed(2 * HOUR, status="closed"))

    assert (life.state.wake_at, life.state.ended) == (None, 2 * HOUR)


@pytest.mark.parametrize(
    ("event", "emitted"),
    [
        (changed(DAY, status="solved"), []),
        (changed(DAY, planned=THIRD), ["started @54h", "breached @58h"]),
        (changed(DAY, planned=""), []),
        (changed(DAY + 1, planned=THIRD), ["started @24h", "breached @28h"]),
        (changed(DAY, priority="p2"), ["started @24h", "breached @32h"]),
    ],
)
def test_what_happens_at_the_very_instant_of_the_date_comes_before_the_start(event: Event, emitted: list[str]) -> None:
    assert run(POLICIES, created(HOUR, planned=SECOND), event).lines() == emitted


def test_a_date_that_is_past_when_it_is_set_starts_the_clock_at_once_and_never_before() -> None:
    assert run(POLICIES, created(HOUR), changed(30 * HOUR, planned=SECOND)).lines() == ["started @30h", "breached @34h"]


def test_a_ticket_that_was_solved_at_its_date_starts_when_it_is_opened_again() -> None:
    events = created(HOUR, planned=SECOND), changed(2 * HOUR, status="solved"), changed(30 * HOUR, status="open")

    assert run(POLICIES, *events).lines() == ["started @30h", "breached @34h"]


def test_a_new_cycle_needs_a_later_date() -> None:
    events = (
        created(HOUR, planned=SECOND),
        changed(25 * HOUR, status="solved"),
        changed(26 * HOUR, status="open"),
        changed(27 * HOUR, planned="1970-01-01"),
        changed(28 * HOUR, planned=THIRD),
    )

    assert run(POLICIES, *events).lines() == ["started @24h", "met @25h", "started @54h", "breached @58h"]


@pytest.mark.parametrize("value", ["soon", ["1970-01-02", "1970-01-03"], ["1970-01-02"], "1970-02-30", ""])
def test_what_is_no_date_starts_nothing_and_stops_nothing(value: str | list[str]) -> None:
    bad = Event(HOUR, "e", "ticket.created", "test", fields={"priority": "p1", "planned": value, "status": "open"})

    life = run(POLICIES, bad)

    assert life.lines() == []
    assert life.steps[0].outcome is Outcome.APPLIED
    assert life.state is not None
    assert life.state.head.fields["status"] == "open"


def test_the_reason_names_the_field_and_not_what_is_in_it() -> None:
    fields: dict[str, str | list[str]] = {"planned": "call Mr Nobody", "other": "soon"}
    (wrong,) = wrong_dates(POLICIES, fields, fields)

    assert (wrong.field, "is neither a date nor a time" in wrong.problem, "Nobody" in str(wrong)) == ("planned", True, False)
    assert list(wrong_dates(POLICIES, fields, {"other"})) == []
    assert [*wrong_dates(POLICIES, {"planned": ["a", "b"]}, {"planned"})] == [
        WrongDate("planned", "has several values, and a clock starts at one date")
    ]


def test_a_date_that_arrives_late_moves_the_start() -> None:
    life = Life(POLICIES).event(created(HOUR, planned=SECOND)).wake(26 * HOUR)
    life.event(changed(2 * HOUR, planned=THIRD), now=26 * HOUR).wake(5 * DAY)

    assert life.lines("started", "retracted", "breached") == ["started @24h", "retracted @24h", "started @54h", "breached @58h"]


def test_a_deleted_ticket_waits_until_it_is_restored() -> None:
    deleted = Event(2 * HOUR, "x2", "ticket.deleted", "test")
    restored = Event(30 * HOUR, "x30", "ticket.restored", "test")

    assert run(POLICIES, created(HOUR, planned=SECOND), deleted).lines() == []
    assert run(POLICIES, created(HOUR, planned=SECOND), deleted, restored).lines() == ["started @30h", "breached @34h"]


def test_a_stored_state_waits_for_its_date() -> None:
    life = Life(POLICIES).event(created(HOUR, planned=SECOND))
    assert life.state is not None
    life.state = codec.decode(codec.encode(life.state))

    assert life.wake(5 * DAY).lines() == ["started @24h", "breached @28h"]


def test_a_history_that_is_cut_keeps_the_date() -> None:
    life = Life(POLICIES, history=2).event(created(HOUR, planned=SECOND))
    for n in range(2, 9):
        life.event(changed(n * HOUR, colour=str(n)))

    assert life.wake(5 * DAY).lines() == ["started @24h", "breached @28h"]


@pytest.mark.parametrize(
    ("first", "then", "emitted"),
    [
        ("planned", "due", ["started @36h", "breached @40h"]),
        ("due", "planned", ["started @24h", "breached @28h"]),
        ("early", "due", ["started @3h", "breached @7h"]),
        ("due", "early", ["started @10h", "breached @14h"]),
    ],
)
def test_a_deployment_may_change_the_field_until_the_clock_has_started(first: str, then: str, emitted: list[str]) -> None:
    metrics = [replace(DELIVERY, name=f"delivery#{field}", starts_at=field) for field in (first, then)]
    deployments = Deployments.fixed(on(metrics[0])).add(1, 10 * HOUR, on(metrics[1]))

    ticket = created(HOUR, planned=SECOND, due="1970-01-02T12:00", early="1970-01-01T03:00")

    assert run(deployments, ticket, keep=frozenset({first, then})).lines("started", "breached") == emitted


def test_a_metric_that_a_deployment_adds_has_started_at_its_date() -> None:
    deployments = Deployments.fixed(policy_set(commitment("first_response"))).add(1, 25 * HOUR, on(DELIVERY))

    life = run(deployments, created(HOUR, planned=SECOND), keep=frozenset({"planned"}))
    of_delivery = [effect for effect in life.effects if effect.commitment == "delivery"]

    assert [(effect.kind, effect.at) for effect in of_delivery] == [
        ("commitment.started", 25 * HOUR),
        ("commitment.breached", 28 * HOUR),
    ]


def test_a_metric_that_a_deployment_takes_away_starts_no_more() -> None:
    deployments = Deployments.fixed(on(DELIVERY)).add(1, 10 * HOUR, policy_set(commitment("resolution", p2="4h")))

    assert run(deployments, created(HOUR, planned=SECOND)).lines("breached") == []


def test_an_explanation_states_when_the_clock_starts_or_why_it_does_not() -> None:
    ahead, wrong, none = (explain(POLICIES, "T", [created(HOUR, planned=value)], 2 * HOUR) for value in (SECOND, "soon", ""))

    assert [(one.metric, one.field, one.zone, one.starts) for one in ahead.waiting] == [("delivery", "planned", "UTC", DAY)]
    assert ["is neither a date" in one.problem for one in wrong.waiting] == [True]
    assert [(one.starts, one.problem) for one in none.waiting] == [(None, "")]
    assert (ahead.deadlines, wrong.deadlines, none.deadlines) == ((), (), ())


def test_an_explanation_of_a_clock_that_has_started_adds_up() -> None:
    life = run(POLICIES, created(HOUR, planned=SECOND), until=26 * HOUR)
    assert life.state is not None

    explanation = explain_state(POLICIES, life.state)
    (deadline,) = explanation.deadlines

    assert (deadline.began, deadline.due, deadline.terms, explanation.waiting) == (DAY, 28 * HOUR, (Term.STARTED_AT_DATE,), ())
    assert sum(span.counted for span in deadline.spans) == 4 * HOUR


def test_conditions_are_asked_when_the_date_comes() -> None:
    gold = replace(DELIVERY, starts=FieldIn("contract", frozenset({"gold"})))

    assert run(on(gold), created(HOUR, planned=SECOND), changed(30 * HOUR, contract="gold")).lines() == [
        "started @30h",
        "breached @34h",
    ]
