"""The oracle against stories worked out by hand, and the oracle's independence."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.oracle.hours import OpenMinutes, length
from tests.oracle.oracle import oracle
from tests.oracle.scenarios import scenario, smallest
from tests.unit.sla.given import HOUR, MINUTE, after, changed, commented, commitment, created, ladder, policy_set, share

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet

DAY = 24 * HOUR
ALWAYS = {"24x7": OpenMinutes({"timezone": "UTC", "week": {"mon-sun": ["00:00-24:00"]}})}
PLAIN = policy_set(commitment("resolution", share(50)))


def minute(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60


def lines(policies: PolicySet, *events: Event, until: int = 2 * DAY) -> list[str]:
    emitted = oracle(policies.policies, ALWAYS, events, until)
    return [f"{one.kind.partition('.')[2]} {one.level}@{one.at / HOUR:g}h" for one in sorted(emitted, key=lambda one: one.at)]


def test_a_warning_and_a_breach_fall_on_their_minutes() -> None:
    assert lines(PLAIN, created(0)) == ["started @0h", "warned 50%@2h", "breached @4h"]


def test_what_is_due_at_the_end_of_the_observed_time_is_not_emitted_yet() -> None:
    assert lines(PLAIN, created(0), until=4 * HOUR) == ["started @0h", "warned 50%@2h"]
    assert lines(PLAIN, created(0), until=4 * HOUR + 1)[-1] == "breached @4h"


def test_what_is_done_at_the_deadline_is_done_in_time() -> None:
    assert lines(PLAIN, created(0), changed(4 * HOUR, status="solved"))[-1] == "met @4h"
    assert lines(PLAIN, created(0), changed(4 * HOUR + MINUTE, status="solved"))[-2:] == [
        "breached @4h",
        f"met_late @{(4 * HOUR + MINUTE) / HOUR:g}h",
    ]


def test_paused_minutes_do_not_count() -> None:
    story = [created(0), changed(1 * HOUR, status="pending"), changed(3 * HOUR, status="open")]

    assert lines(PLAIN, *story)[1:] == ["paused @1h", "resumed @3h", "warned 50%@4h", "breached @6h"]


def test_a_breach_by_a_new_target_is_emitted_at_the_change_with_the_deadline_it_missed() -> None:
    emitted = oracle(PLAIN.policies, ALWAYS, [created(0, "p2"), changed(6 * HOUR, priority="p1")], DAY)

    (breach,) = [one for one in emitted if one.kind == "commitment.breached"]
    assert (breach.at, breach.due_at) == (6 * HOUR, 4 * HOUR)


def test_the_order_and_repetition_of_the_events_given_do_not_matter() -> None:
    story = [created(0), changed(1 * HOUR, status="pending"), changed(3 * HOUR, status="open")]

    assert oracle(PLAIN.policies, ALWAYS, [*reversed(story), *story], DAY) == oracle(PLAIN.policies, ALWAYS, story, DAY)


def test_the_oldest_unanswered_message_counts() -> None:
    policies = policy_set(commitment("next_response", p1="2h"))
    story = [created(0), commented(1 * HOUR), commented(2 * HOUR, "customer"), commented(3 * HOUR, "customer")]

    assert lines(policies, *story) == ["started @2h", "breached @4h"]


def test_levels_around_a_deadline_are_raised_in_order_and_released() -> None:
    policies = policy_set(
        commitment("resolution"), ladders=(ladder(("lead", share(75)), ("boss", after("2h")), on="resolution"),)
    )
    emitted = lines(policies, created(0), changed(9 * HOUR, status="solved"))

    assert [line for line in emitted if line.startswith("r")] == ["raised lead@3h", "raised boss@6h", "released boss@9h"]


def test_an_instant_within_a_minute_is_refused() -> None:
    with pytest.raises(ValueError, match="whole minutes"):
        lines(PLAIN, created(1))


def test_a_share_within_a_minute_is_refused() -> None:
    with pytest.raises(ValueError, match="whole minutes"):
        lines(policy_set(commitment("resolution", share(50), p1="3m")), created(0))


def test_slow_hours_of_a_night_shift_shrink_with_the_night_the_clocks_go_forward() -> None:
    night = OpenMinutes({"timezone": "Europe/Berlin", "week": {"sat": ["22:00-06:00"]}})
    begin, end = minute("2026-03-28T21:00"), minute("2026-03-29T04:00")

    assert [night.is_open(at) for at in (begin - 1, begin, end - 1, end)] == [False, True, True, False]
    assert sum(night.is_open(at) for at in range(begin, end)) == 7 * 60


def test_a_slow_length_used_up_at_closing_time_ends_at_the_closing_instant() -> None:
    office = OpenMinutes({"timezone": "Asia/Kolkata", "week": {"mon-fri": ["09:00-17:00"]}})
    monday = minute("2026-11-16T03:30")

    assert office.add(monday, length("1bd", office, monday).minutes) == minute("2026-11-16T11:30")
    assert office.subtract(minute("2026-11-17T03:30"), 60) == minute("2026-11-16T10:30")


def test_a_slow_working_day_is_the_usual_opening_without_its_breaks() -> None:
    week = {"mon-thu": ["09:00-17:00"], "fri": ["09:00-13:00"]}
    office = OpenMinutes({"timezone": "UTC", "week": week, "breaks": {"mon-fri": ["12:00-12:30"]}})

    assert office.day == 450


def test_a_slow_month_ends_on_the_last_day_of_a_shorter_one() -> None:
    office = OpenMinutes({"timezone": "Europe/Berlin", "week": {"mon-fri": ["09:00-17:00"]}})

    assert office.months_after(minute("2026-01-31T09:00"), 1) == minute("2026-02-28T09:00")
    assert office.months_after(minute("2026-02-28T23:30"), 1) == minute("2026-03-31T22:30")


def test_a_calendar_with_more_than_is_understood_is_refused() -> None:
    with pytest.raises(ValueError, match="versions"):
        OpenMinutes({"timezone": "UTC", "week": {}, "versions": []})


def test_a_failing_scenario_is_cut_down_to_what_it_needs() -> None:
    whole = scenario(1)
    last = whole.events[-1]

    assert smallest(whole, lambda one: last in one.events).events == [whole.events[0], last]


def test_the_oracle_uses_nothing_of_the_engine_but_its_data() -> None:
    data = {
        "stream.sla.events": {"Event"},
        "stream.sla.policy.conditions": {"All", "AnyOf", "Changed", "Condition", "EventIs", "FieldIn", "Not"},
        "stream.sla.policy.metric": {"Again", "Metric"},
        "stream.sla.policy.policy": {
            "Choice",
            "Commitment",
            "Ladder",
            "Level",
            "Threshold",
            "ThresholdKind",
            "OnChange",
            "Policy",
        },
        "stream.sla.calendar.duration": {"Duration"},
    }
    paths = sorted((Path(__file__).parents[1] / "oracle").glob("*.py"))
    assert len(paths) > 3
    for path in paths:
        if path.name == "scenarios.py":  # makes scenarios for both of them
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("stream") for alias in node.names), path
            elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stream"):
                assert {alias.name for alias in node.names} <= data[node.module], path
