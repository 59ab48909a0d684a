"""A ticket that changes to and fro thousands of times: its state and the cost of an event are bounded, its totals exact."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from stream.sla.calendar.duration import Clock
from stream.sla.codec import codec
from stream.sla.effects import Kind
from stream.sla.explain.explain import explain, explain_state
from stream.sla.policy.conditions import Changed
from stream.sla.policy.policy import OnChange
from stream.sla.step import Outcome
from stream.sla.ticket.stopwatch import MOST_STRETCHES, START
from tests.unit.sla.calendar.test_duration import office
from tests.unit.sla.given import ALWAYS, HOUR, MINUTE, Life, changed, commitment, created, policy_set

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar

OFFICE = office(timezone="UTC")


def flapping(life: Life, times: int, first: int = 1, step: int = MINUTE, start: int = 0, other: str = "pending") -> Life:
    for number in range(first, times):
        life.event(changed(start + number * step, status=other if number % 2 else "open", nth=str(number)))
    return life


@pytest.mark.parametrize("other", ["pending", "solved"])
def test_twice_the_changes_take_no_more_bytes(other: str) -> None:
    life = Life(policy_set(commitment("resolution", p1="4000h"))).event(created(0))
    sizes = {}
    for changes in (1_300, 2_600):
        flapping(life, changes, len(life.steps), other=other)
        assert life.state is not None
        sizes[changes] = len(codec.encode(life.state))
        watch = life.state.head.watches["resolution"]
        assert len(watch.ran) + len(watch.paused) <= MOST_STRETCHES + 200
    assert sizes[2_600] < 1.05 * sizes[1_300], sizes


@pytest.mark.parametrize("other", ["pending", "solved"])
@pytest.mark.parametrize("calendar", [ALWAYS, OFFICE], ids=["24x7", "office"])
def test_totals_and_the_deadline_are_those_of_the_whole_history(other: str, calendar: Calendar) -> None:
    target = "250h" if calendar is ALWAYS else "60bh"
    cut = Life(policy_set(commitment("resolution", p1=target), calendar=calendar), history=50)
    whole = Life(policy_set(commitment("resolution", p1=target), calendar=calendar), history=10_000)
    for life in (cut, whole):
        life.event(created(0))
        flapping(life, 300, step=2 * HOUR, other=other)
        life.wake(10_000 * HOUR)
    assert cut.state is not None
    assert cut.state.base is not None
    assert cut.state.head.watches["resolution"].totals is not None
    assert [effect for effect in cut.effects if effect.kind is Kind.BREACHED]
    assert cut.effects == whole.effects
    assert codec.decode(codec.encode(cut.state)) == cut.state


@pytest.mark.parametrize("mode", [OnChange.FORWARD, OnChange.RESET])
@pytest.mark.parametrize("calendar", [ALWAYS, OFFICE], ids=["24x7", "office"])
def test_a_target_that_counts_from_a_change_is_kept_when_the_ticket_is_reopened(mode: OnChange, calendar: Calendar) -> None:
    targets = {"p1": "100h", "p2": "300h"} if calendar is ALWAYS else {"p1": "40bh", "p2": "100bh"}
    lives = [
        Life(policy_set(commitment("resolution", on_change=mode, **targets), calendar=calendar), history=history)
        for history in (50, 10_000)
    ]
    for life in lives:
        life.event(created(0, "p2")).event(changed(10 * HOUR, priority="p1"))
        flapping(life, 200, step=3 * MINUTE, start=10 * HOUR)
        life.event(changed(21 * HOUR, status="solved")).event(changed(25 * HOUR, status="open")).wake(10_000 * HOUR)
    cut, whole = lives
    assert cut.state is not None
    assert cut.state.head.watches["resolution"].totals is not None
    assert [effect for effect in cut.effects if effect.kind is Kind.BREACHED]
    assert cut.effects == whole.effects


@pytest.mark.parametrize("pause_time", [Clock.BUSINESS, Clock.WALL])
@pytest.mark.parametrize("mode", OnChange)
def test_an_explanation_of_what_is_added_up_agrees_with_that_of_the_whole_history(mode: OnChange, pause_time: Clock) -> None:
    resolution = commitment("resolution", on_change=mode, p1="40bh", p2="100bh")
    policies = policy_set(replace(resolution, pause_time=pause_time), calendar=OFFICE)
    life = Life(policies, history=50).event(created(0, "p2")).event(changed(10 * HOUR, priority="p1"))
    flapping(life, 200, step=30 * MINUTE, start=10 * HOUR)
    events = [created(0, "p2"), changed(10 * HOUR, priority="p1")]
    events += [changed(10 * HOUR + n * 30 * MINUTE, status="pending" if n % 2 else "open", nth=str(n)) for n in range(1, 200)]
    assert life.state is not None
    assert life.state.head.watches["resolution"].totals is not None

    (found,) = explain_state(policies, life.state, 2_000 * HOUR).deadlines
    (whole,) = explain(policies, "T", events, 2_000 * HOUR).deadlines

    assert (found.verdict, found.due, found.elapsed, found.paused) == (whole.verdict, whole.due, whole.elapsed, whole.paused)
    assert sum(span.counted for span in found.spans if not span.expected) == found.elapsed
    assert all(one.end == other.start for one, other in pairwise(found.spans))


def test_a_late_event_within_the_kept_history_corrects_what_was_added_up_before_it_to() -> None:
    lives = [Life(policy_set(commitment("resolution", p1="150h")), history=history) for history in (50, 10_000)]
    for life in lives:
        life.event(created(0))
        flapping(life, 600, step=HOUR // 2)
        life.event(changed(int(594.5 * HOUR / 2), status="pending"), now=600 * HOUR)
        assert life.steps[-1].outcome is Outcome.LATE
        life.event(changed(400 * HOUR, status="solved")).wake(10_000 * HOUR)
    cut, whole = lives
    assert cut.state is not None
    assert cut.state.head.watches["resolution"].totals is not None
    assert [(effect.id, effect.at, effect.elapsed) for effect in cut.effects] == [
        (effect.id, effect.at, effect.elapsed) for effect in whole.effects
    ]


def test_a_new_cycle_forgets_the_totals_of_the_one_before() -> None:
    life = Life(policy_set(commitment("resolution", p1="4000h")), history=50).event(created(0))
    flapping(life, 400)
    assert life.state is not None
    watch = life.state.head.watches["resolution"].copy()
    assert watch.totals is not None
    watch.phase = 4  # cancelled
    watch.take(START, 10_000 * HOUR)
    assert watch.totals is None


def test_a_calendar_that_was_not_in_force_gets_its_share() -> None:
    life = flapping(Life(policy_set(commitment("resolution", p1="4000h")), history=50).event(created(0)), 400)
    assert life.state is not None
    watch = life.state.head.watches["resolution"]
    totals = watch.totals
    assert totals is not None
    share = totals.spent(False, Clock.BUSINESS, OFFICE, watch.began)
    assert share == OFFICE.measure(watch.began, totals.until) * totals.ran // (totals.until - watch.began)


def test_the_next_cycle_has_no_share_in_what_is_added_up_of_the_cycle_before() -> None:
    resolution = commitment("resolution", p1="4000h")
    cycles = replace(resolution, metric=replace(resolution.metric, restarts=Changed(frozenset({"team"}))))
    life = flapping(Life(policy_set(cycles), history=600).event(created(0)), 500)
    life.event(changed(501 * MINUTE, team="other"))
    flapping(life, 610, first=502)

    assert life.state is not None
    assert life.state.base is not None
    assert life.state.base.watches["resolution"].totals is not None
    watch = life.state.head.watches["resolution"]
    assert (watch.began, watch.totals) == (501 * MINUTE, None)
