"""Pauses that move a deadline in business time by their length on the wall."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stream.language.calendars import read_calendar
from stream.sla.calendar.duration import Clock
from stream.sla.codec import codec
from stream.sla.explain.explain import explain, explain_state
from stream.sla.explain.explanation import SpanKind
from stream.sla.explain.terms import Term
from stream.sla.policy.policy import OnChange
from stream.sla.policy.timeline import Deployments
from stream.sla.ticket.stopwatch import Placement, Signal, Stopwatch
from tests.unit.sla.given import HOUR, Life, by_priority, changed, commitment, created, ladder, policy_set, run, share, used

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar

DAY = 24 * HOUR


def failing(where: object, message: str) -> None:
    raise AssertionError((where, message))


def office() -> Calendar:
    calendar = read_calendar("office", {"timezone": "UTC", "week": {"mon-sun": ["09:00-17:00"]}}, failing)
    assert calendar is not None
    return calendar


OFFICE = office()
USUAL = replace(commitment("resolution", share(50), used("3bh"), p1="4bh", p2="8bh"), extension_cap=None)
WALL = replace(USUAL, pause_time=Clock.WALL)
POLICIES = policy_set(WALL, ladders=(ladder(("lead", share(75)), on="resolution"),), calendar=OFFICE)
PAUSED = (created(10 * HOUR), changed(11 * HOUR, status="pending"), changed(21 * HOUR, status="open"))
"""Ten hours are paused, after one that counts."""


def test_the_time_that_a_stopwatch_ran_is_counted_on_the_calendar_from_its_start_on() -> None:
    watch = Stopwatch()
    for signal, hour in ((Signal.START, 8), (Signal.PAUSE, 12), (Signal.RESUME, 30), (Signal.STOP, 40)):
        watch.take(signal, hour * HOUR)

    assert watch.elapsed(Clock.BUSINESS, OFFICE, 40 * HOUR, Placement(8 * HOUR, 0)) == 8 * HOUR  # 08:00 to 22:00
    assert [watch.reaches(n * HOUR, Clock.BUSINESS, OFFICE, 0, False, Placement(8 * HOUR, 0)) for n in (1, 3, 4, 7)] == [
        10 * HOUR,
        30 * HOUR,
        31 * HOUR,
        34 * HOUR,
    ]


def test_everything_about_the_deadline_moves_by_the_length_of_the_pause() -> None:
    life = run(POLICIES, *PAUSED)

    assert life.lines("warned", "raised", "breached") == [
        "warned 50% @22h",
        "warned 3bh @23h",
        "raised lead @23h",
        "breached @24h",
    ]
    assert [(effect.elapsed, effect.paused) for effect in life.effects if effect.kind == "commitment.breached"] == [
        (4 * HOUR, 10 * HOUR)
    ]


def test_an_explanation_adds_up_and_states_it() -> None:
    deadline, level = explain(POLICIES, "T", PAUSED, 2 * DAY).deadlines

    assert deadline.terms == (Term.PAUSES_ON_THE_WALL,)
    assert [(span.start, span.kind, span.counted) for span in deadline.spans if span.end <= 24 * HOUR] == [
        (10 * HOUR, SpanKind.RUNNING, HOUR),
        (11 * HOUR, SpanKind.PAUSED, 0),
        (21 * HOUR, SpanKind.RUNNING, HOUR),
        (22 * HOUR, SpanKind.RUNNING, HOUR),
        (23 * HOUR, SpanKind.RUNNING, HOUR),
    ]
    assert (sum(span.counted for span in deadline.spans if span.end <= 24 * HOUR), deadline.due) == (4 * HOUR, 24 * HOUR)
    assert sum(span.counted for span in level.spans if span.end <= 23 * HOUR) == level.target == 3 * HOUR


@pytest.mark.parametrize(
    ("first", "then", "emitted"),
    [
        (USUAL, WALL, ["retargeted @22h", "breached @24h"]),
        (WALL, USUAL, ["retargeted @22h", "breached @36h"]),
    ],
)
def test_a_deployment_may_change_it_for_open_tickets(first: object, then: object, emitted: list[str]) -> None:
    sets = [policy_set(one, calendar=OFFICE) for one in (first, then)]  # type: ignore[arg-type]
    life = run(Deployments.fixed(sets[0]).add(1, 22 * HOUR, sets[1]), *PAUSED)

    assert life.lines("retargeted", "breached") == emitted
    assert [effect.reason for effect in life.effects if effect.kind == "commitment.retargeted"] == ["policy_changed"]


def test_a_late_pause_takes_the_breach_back() -> None:
    life = Life(POLICIES).event(PAUSED[0]).wake(20 * HOUR)
    for event in PAUSED[1:]:
        life.event(event, now=22 * HOUR)
    life.wake(2 * DAY)

    assert life.lines("breached", "breach_retracted") == ["breached @14h", "breach_retracted @14h", "breached @24h"]


def test_a_state_that_was_stored_goes_on_in_the_same_way() -> None:

    life = Life(POLICIES)
    for event in PAUSED[:2]:
        life.event(event)
        assert life.state is not None
        life.state = codec.decode(codec.encode(life.state))
    life.event(PAUSED[2]).wake(2 * DAY)

    assert life.lines("breached") == ["breached @24h"]
    assert life.state is not None
    assert explain_state(POLICIES, life.state).deadlines[0].due == 24 * HOUR


def test_a_history_that_is_cut_loses_no_pause() -> None:
    life = Life(POLICIES, history=2)
    for event in (*PAUSED, *(changed(21 * HOUR + n, colour=str(n)) for n in range(1, 6))):
        life.event(event)

    assert life.wake(2 * DAY).lines("breached") == ["breached @24h"]


@pytest.mark.parametrize("mode", [OnChange.FORWARD, OnChange.RESET])
@pytest.mark.parametrize(
    ("target", "due"),
    [
        ("4bh", 38),  # of the second day: from ten o'clock on
        ("+0 business days at close", 41),
        ("+1 business day at close", 65),
        ("+1 business day at 16:00", 64),
        ("+1 business day at 20:00", 68),
        ("+1 business day", 58),
        ("+1 business day at close cutoff 09:30", 89),
    ],
)
def test_a_pause_before_a_change_does_not_move_a_target_that_counts_from_the_change(
    mode: OnChange, target: str, due: int
) -> None:
    policies = policy_set(replace(WALL, target=by_priority(p1="40bh", p2=target), on_change=mode), calendar=OFFICE)
    solved = (created(10 * HOUR), changed(11 * HOUR, status="solved"))
    in_one_event = (*solved, changed(34 * HOUR, status="open", priority="p2"))
    in_two_events = (*solved, changed(34 * HOUR, status="open"), changed(34 * HOUR, priority="p2"))
    other_way_round = (*solved, changed(34 * HOUR, priority="p2"), changed(34 * HOUR, status="open"))
    paused = (created(10 * HOUR), changed(11 * HOUR, status="pending"), changed(34 * HOUR, status="open", priority="p2"))

    for events in (in_one_event, in_two_events, other_way_round, paused):
        assert run(policies, *events).lines("breached") == [f"breached @{due}h"]


def test_a_pause_after_a_change_moves_a_target_that_counts_from_the_change() -> None:
    target = by_priority(p1="40bh", p2="+1 business day at close")
    policies = policy_set(replace(WALL, target=target, on_change=OnChange.FORWARD), calendar=OFFICE)
    before = (created(10 * HOUR), changed(11 * HOUR, status="pending"), changed(34 * HOUR, status="open", priority="p2"))
    life = run(policies, *before, changed(35 * HOUR, status="pending"), changed(40 * HOUR, status="open"))

    assert life.lines("breached") == ["breached @70h"]
    assert [effect.elapsed for effect in life.effects if effect.kind == "commitment.breached"] == [(1 + 15) * HOUR]


def test_a_target_that_counts_from_a_change_stands_so_in_the_stored_state() -> None:
    policies = policy_set(replace(WALL, target=by_priority(p1="40bh", p2="4bh"), on_change=OnChange.FORWARD), calendar=OFFICE)
    life = run(policies, *PAUSED, changed(33 * HOUR, priority="p2"), until=34 * HOUR)

    assert life.state is not None
    assert life.state.head.commitments["resolution"].adjusted.rebase_ran == 13 * HOUR
    assert codec.decode(codec.encode(life.state)).head.commitments["resolution"].parts() == (
        life.state.head.commitments["resolution"].parts()
    )


@pytest.mark.parametrize("mode", [OnChange.FORWARD, OnChange.RESET])
def test_an_explanation_adds_up_where_a_target_counts_from_a_change(mode: OnChange) -> None:
    target = by_priority(p1="40bh", p2="+1 business day at close")
    policies = policy_set(replace(WALL, target=target, on_change=mode), calendar=OFFICE)
    events = (
        *PAUSED,
        changed(34 * HOUR, status="pending"),
        changed(36 * HOUR, priority="p2"),  # while it is paused
        changed(38 * HOUR, status="open"),
    )
    (breach,) = [one for one in run(policies, *events).effects if one.kind == "commitment.breached"]
    (deadline,) = explain(policies, "T", events, 100 * HOUR).deadlines

    assert breach.at == breach.due_at == deadline.due == (65 + 2) * HOUR
    assert sum(span.counted for span in deadline.spans if span.end <= breach.at) == breach.elapsed


def test_a_target_that_counts_from_a_change_stays_where_it_was_when_the_history_is_cut() -> None:
    target = by_priority(p1="40bh", p2="+1 business day at close")
    policies = policy_set(replace(WALL, target=target, on_change=OnChange.FORWARD), calendar=OFFICE)
    flapping = [changed(35 * HOUR + n * HOUR // 60, status="pending" if n % 2 == 0 else "open") for n in range(100)]
    events = (*PAUSED, changed(34 * HOUR, priority="p2"), *flapping)

    whole, cut = (run(policies, *events, history=kept, until=50 * HOUR) for kept in (1000, 2))
    assert whole.state is not None
    assert cut.state is not None
    totals = cut.state.head.watches["resolution"].totals
    assert totals is not None
    assert totals.until > 34 * HOUR  # so that what ran before the change is not known any more
    assert cut.wake(100 * HOUR).lines("breached") == whole.wake(100 * HOUR).lines("breached") != []
