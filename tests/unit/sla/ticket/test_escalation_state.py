"""Ladders on a stopwatch of their own, and on a commitment."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stream.sla.calendar.duration import Duration
from stream.sla.effects import Kind, Reason
from stream.sla.events import Event
from tests.unit.sla.given import (
    HOUR,
    after,
    changed,
    commented,
    commitment,
    created,
    ladder,
    left,
    policy_set,
    run,
    share,
    used,
)

OWN = policy_set(ladders=(ladder(("team", used("4h")), ("manager", used("8h"))),))


def test_levels_are_raised_one_after_another() -> None:
    life = run(OWN, created(0))

    assert life.lines("raised") == ["raised team @4h", "raised manager @8h"]
    assert life.effects[0].notify == ("team-desk",)


def test_a_ladder_of_its_own_goes_on_while_the_ticket_is_pending() -> None:
    assert run(OWN, created(0), changed(1 * HOUR, status="pending")).lines("raised")[0] == "raised team @4h"


def test_solving_releases_and_notifies_everybody_who_was_notified() -> None:
    life = run(OWN, created(0), changed(9 * HOUR, status="solved"))

    release = life.effects[-1]
    assert (release.reason, release.level, release.notify) == (Reason.SOLVED, "manager", ("team-desk", "manager-desk"))


def test_solving_before_the_first_level_emits_nothing() -> None:
    assert run(OWN, created(0), changed(3 * HOUR, status="solved")).lines() == []


def test_reopening_brings_the_escalation_back_at_its_level_and_goes_on_from_there() -> None:
    life = run(OWN, created(0), changed(5 * HOUR, status="solved"), changed(20 * HOUR, status="open"))

    assert life.lines() == ["raised team @4h", "released team @5h", "recurred team @20h", "raised manager @23h"]


def test_a_level_is_raised_once_however_often_it_is_reopened() -> None:
    events = [created(0)]
    for round_ in range(1, 4):
        events += [changed(10 * round_ * HOUR, status="solved"), changed((10 * round_ + 5) * HOUR, status="open")]
    life = run(OWN, *events)

    assert life.lines("raised") == ["raised team @4h", "raised manager @8h"]
    assert len({effect.id for effect in life.effects}) == len(life.effects)


def test_a_ladder_on_a_commitment_stands_before_at_and_after_its_deadline() -> None:
    policies = policy_set(
        commitment("resolution"),
        ladders=(ladder(("lead", share(75)), ("manager", left("30m")), ("executive", after("2h")), on="resolution"),),
    )
    life = run(policies, created(0))

    assert life.lines("raised", "breached") == [
        "raised lead @3h",
        "raised manager @3.5h",
        "breached @4h",
        "raised executive @6h",
    ]
    assert life.effects[-1].reason is Reason.AFTER_DEADLINE


def test_a_ladder_on_a_commitment_pauses_with_it() -> None:
    policies = policy_set(commitment("resolution"), ladders=(ladder(("lead", share(75)), on="resolution"),))
    life = run(policies, created(0), changed(1 * HOUR, status="pending"), changed(5 * HOUR, status="open"))

    assert life.lines("raised") == ["raised lead @7h"]


def test_a_change_that_makes_several_levels_due_raises_them_in_order_at_the_change() -> None:
    policies = policy_set(
        commitment("resolution", p1="4h", p2="40h"),
        ladders=(ladder(("lead", share(25)), ("manager", share(75)), on="resolution"),),
    )
    life = run(policies, created(0, "p2"), changed(9 * HOUR, priority="p1"))

    assert life.lines("raised") == ["raised lead @9h", "raised manager @9h"]


def about(at: int, what: str, **more: str) -> Event:
    return Event(at, f"{what}{at}", f"escalation.{what}", "test", **more)  # type: ignore[arg-type]


REPEATING = ladder(
    ("team", used("4h")), ("manager", used("12h")), of_level={"repeat_every": Duration.parse("1h"), "max_repeats": 3}
)


def test_a_level_is_repeated_up_to_its_cap_and_then_no_more() -> None:
    life = run(
        policy_set(ladders=(ladder(("team", used("4h")), of_level={"repeat_every": Duration.parse("1h"), "max_repeats": 3}),)),
        created(0),
    )

    assert life.lines("raised", "repeated") == [
        "raised team @4h",
        "repeated team @5h",
        "repeated team @6h",
        "repeated team @7h",
    ]
    assert len({effect.id for effect in life.effects}) == 4


def test_a_higher_level_ends_the_repetition_of_the_lower() -> None:
    life = run(policy_set(ladders=(REPEATING,)), created(0), until=14 * HOUR)

    assert life.lines("raised", "repeated")[-3:] == ["repeated team @7h", "raised manager @12h", "repeated manager @13h"]


def test_an_acknowledgement_ends_repetitions_and_holds_the_ladder() -> None:
    life = run(policy_set(ladders=(REPEATING,)), created(0), about(4 * HOUR + 1, "acknowledged"))

    assert life.lines() == ["raised team @4h", f"acknowledged team @{(4 * HOUR + 1) / HOUR:g}h"]


def test_an_acknowledged_escalation_is_raised_again_when_it_is_still_not_solved() -> None:
    policies = policy_set(ladders=(ladder(("team", used("4h")), raise_again_after=Duration.parse("2h")),))
    life = run(policies, created(0), about(5 * HOUR, "acknowledged"), about(8 * HOUR, "acknowledged"), until=11 * HOUR)

    assert life.lines() == [
        "raised team @4h",
        "acknowledged team @5h",
        "repeated team @7h",
        "acknowledged team @8h",
        "repeated team @10h",
    ]
    assert life.effects[2].reason is Reason.STILL_OPEN


def test_an_acknowledgement_of_nothing_emits_nothing() -> None:
    assert run(OWN, created(0), about(1 * HOUR, "acknowledged")).lines("acknowledged") == []


def test_an_escalation_released_by_hand_stays_released() -> None:
    life = run(OWN, created(0), about(5 * HOUR, "released"))

    assert life.lines() == ["raised team @4h", "released team @5h"]
    assert life.effects[-1].reason is Reason.DE_ESCALATED


GATED = policy_set(
    commitment("first_response", p1="2h"),
    ladders=(ladder(("lead", used("20h")), ("manager", used("40h")), on_request="lead", request_after="first_response"),),
)


def test_a_request_before_the_response_target_is_refused_with_the_instant_from_which_it_is_allowed() -> None:
    life = run(GATED, created(0), about(1 * HOUR, "requested"), until=3 * HOUR)

    refusal = next(effect for effect in life.effects if effect.kind is Kind.REFUSED)
    assert (refusal.reason, refusal.allowed_from) == (Reason.TOO_EARLY, 2 * HOUR)


@pytest.mark.parametrize("impact", ["production", "business_risk"])
def test_a_request_with_impact_passes_at_once(impact: str) -> None:
    life = run(GATED, created(0), about(1 * HOUR, "requested", impact=impact), until=3 * HOUR)

    assert life.lines("raised", "refused") == ["raised lead @1h"]


def test_a_request_from_the_response_target_on_is_granted_whether_or_not_it_was_answered() -> None:
    life = run(GATED, created(0), commented(1 * HOUR), about(2 * HOUR, "requested"), until=3 * HOUR)

    assert life.lines("raised", "refused") == ["raised lead @2h"]
    assert life.effects[-1].reason is Reason.REQUESTED


def test_a_request_for_a_level_by_name_passes_over_the_lower_ones() -> None:
    life = run(GATED, created(0), about(2 * HOUR, "requested", level="manager"), until=100 * HOUR)

    assert life.lines("raised") == ["raised manager @2h"]


def test_asking_again_for_what_was_raised_is_emitted_again() -> None:
    life = run(GATED, created(0), about(2 * HOUR, "requested"), about(3 * HOUR, "requested"), until=4 * HOUR)

    assert life.lines("raised", "repeated") == ["raised lead @2h", "repeated lead @3h"]


def test_a_request_to_a_ladder_that_takes_none_is_refused() -> None:
    life = run(OWN, created(0), about(1 * HOUR, "requested"), until=2 * HOUR)

    assert [effect.reason for effect in life.effects] == [Reason.NOT_OFFERED]


def test_repetitions_after_a_request_are_others_than_those_before() -> None:
    level = {"repeat_every": Duration.parse("1h"), "max_repeats": 1}
    policies = policy_set(ladders=(ladder(("team", used("1h")), of_level=level, on_request="team"),))
    life = run(policies, created(0), about(7 * HOUR, "requested"), until=20 * HOUR)

    assert life.lines() == ["raised team @1h", "repeated team @2h", "repeated team @7h", "repeated team @8h"]
    assert len({effect.id for effect in life.effects}) == 4


WATCHED = policy_set(ladders=(ladder(("team", used("4h")), ("manager", used("8h")), monitoring=Duration.parse("24h")),))


def test_a_quiet_monitoring_period_ends_in_release() -> None:
    life = run(WATCHED, created(0), changed(5 * HOUR, status="solved"))

    assert life.lines() == ["raised team @4h", "monitoring team @5h", "released team @29h"]
    assert life.effects[1].due_at == 29 * HOUR
    assert life.effects[-1].reason is Reason.QUIET


def test_a_recurrence_while_monitored_brings_the_escalation_back_at_its_level() -> None:
    life = run(WATCHED, created(0), changed(5 * HOUR, status="solved"), changed(10 * HOUR, status="open"))

    assert life.lines()[2:] == ["recurred team @10h", "raised manager @13h"]


def test_a_reopening_after_a_quiet_period_begins_a_new_escalation() -> None:
    life = run(WATCHED, created(0), changed(5 * HOUR, status="solved"), changed(40 * HOUR, status="open"))

    assert life.lines() == [
        "raised team @4h",
        "monitoring team @5h",
        "released team @29h",
        "raised team @40h",
        "raised manager @43h",
    ]
    assert len({effect.id for effect in life.effects}) == len(life.effects)


def test_a_level_for_business_hours_waits_for_the_opening_and_is_raised_once() -> None:
    from stream.language.calendars import read_calendar

    office = read_calendar("office", {"timezone": "UTC", "week": {"mon-fri": ["09:00-17:00"]}}, _no_problem)
    assert office is not None
    monday = int(datetime(2026, 11, 16, 16, 0, tzinfo=UTC).timestamp()) * 1_000_000
    levels = ladder(("team", used("2h")), of_level={"only_in_business_hours": True})
    life = run(policy_set(ladders=(levels,), calendar=office), created(monday), until=monday + 200 * HOUR)

    assert [effect.at - monday for effect in life.effects] == [17 * HOUR]


def test_a_level_for_business_hours_is_dropped_when_the_ticket_is_solved_before_the_opening() -> None:
    from stream.language.calendars import read_calendar

    office = read_calendar("office", {"timezone": "UTC", "week": {"mon-fri": ["09:00-17:00"]}}, _no_problem)
    assert office is not None
    monday = int(datetime(2026, 11, 16, 16, 0, tzinfo=UTC).timestamp()) * 1_000_000
    levels = ladder(("team", used("2h")), of_level={"only_in_business_hours": True})
    life = run(policy_set(ladders=(levels,), calendar=office), created(monday), changed(monday + 5 * HOUR, status="solved"))

    assert life.effects == []


def _no_problem(where: object, message: str) -> None:
    raise AssertionError((where, message))
