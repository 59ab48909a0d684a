"""A calendar that is open on stated dates only: what is left of it, and what no time is left for."""

from datetime import date, datetime
from unittest.mock import patch

from stream.sla.calendar import calendar as calendar_module
from stream.sla.calendar.calendar import Calendar, always
from stream.sla.calendar.duration import Duration
from stream.sla.calendar.week import CLOSED_WEEK, Content, DateException, Holiday, Holidays, Version, Week, Window, pieces
from stream.sla.calendar.zone import UTC_ZONE
from stream.sla.policy.policy import LadderKind, OnChange
from tests.unit.sla.given import HOUR, Life, after, changed, commitment, created, ladder, left, policy_set, share

COMPILED = not str(calendar_module.__file__).endswith(".py")
MORNING = (Window(8 * HOUR, 12 * HOUR),)
OFFICE: Week = (MORNING,) * 5 + ((), ())


def at(text: str) -> int:
    return round(datetime.fromisoformat(f"2026-11-{text}+00:00").timestamp()) * 1_000_000


def dated(*dates: DateException, holidays: Holidays | None = None, since: tuple[Version, ...] = ()) -> Calendar:
    first = Version(date.min, CLOSED_WEEK) if holidays is None else Version(date.min, CLOSED_WEEK, holidays=holidays)
    return Calendar("hotline", Content(UTC_ZONE, (first, *since), dates))


HOTLINE = dated(
    DateException(date(2026, 11, 2), date(2026, 11, 3), MORNING),
    DateException(date(2026, 11, 10), date(2026, 11, 10), (Window(6 * HOUR, 24 * HOUR),)),
)


def test_time_passes_on_the_dates_and_never_after_them() -> None:
    assert HOTLINE.add(at("01T00:00"), 9 * HOUR) == at("10T07:00")
    assert HOTLINE.after(at("03T10:00"), 20 * HOUR) == at("11T00:00")
    assert HOTLINE.after(at("03T10:00"), 20 * HOUR + 1) is None
    assert HOTLINE.after(at("03T10:00"), -6 * HOUR) == at("02T08:00")
    assert HOTLINE.after(at("03T10:00"), -6 * HOUR - 1) is None
    assert HOTLINE.after(at("20T00:00"), 1) is None
    assert HOTLINE.measure(0, at("30T00:00")) == 26 * HOUR
    assert HOTLINE.next_change(at("11T00:00")) is None
    assert not HOTLINE.is_open(at("12T10:00"))


def test_it_closes_for_good_at_its_last_closing() -> None:
    assert HOTLINE.closes_for_good() == at("11T00:00")
    until_april = dated(since=(Version(date(2026, 1, 1), OFFICE), Version(date(2026, 11, 7), CLOSED_WEEK)))
    assert until_april.closes_for_good() == at("06T12:00")
    nights = dated(DateException(date(2026, 12, 31), date(2026, 12, 31), (Window(22 * HOUR, 30 * HOUR),)))
    assert nights.closes_for_good() == at("30T00:00") + 32 * 24 * HOUR + 6 * HOUR


def test_a_week_or_a_date_of_every_year_does_not_end() -> None:
    yearly = Holidays(lambda year: {date(year, 12, 24): Holiday("Christmas Eve", MORNING)})
    assert dated(holidays=yearly).closes_for_good() is None
    assert always().closes_for_good() is None
    assert dated(since=(Version(date(2026, 1, 1), OFFICE),)).closes_for_good() is None


def test_closed_years_are_not_worked_out_day_by_day() -> None:
    hotline = dated(DateException(date(2026, 11, 3), date(2026, 11, 3), MORNING))
    with patch("stream.sla.calendar.calendar.pieces", wraps=pieces) as worked_out:
        assert hotline.after(at("01T00:00"), 5 * HOUR) is None
    # Compiled code calls the function itself, and not what a test puts in the place of its name.
    assert worked_out.call_count == (0 if COMPILED else 365)


def test_what_can_never_be_due_is_neither_warned_of_nor_breached_and_can_be_met() -> None:
    policies = policy_set(commitment("resolution", share(50), left("1h"), p1="10bh"), calendar=HOTLINE)
    life = Life(policies).event(created(at("10T20:00"))).wake(at("30T00:00"))
    assert life.lines() == [f"started @{at('10T20:00') / HOUR:g}h"]
    assert life.steps[-1].wake_at is None
    assert life.state is not None
    assert life.state.head.commitments["resolution"].due is None
    life.event(changed(at("30T01:00"), status="solved"))
    assert life.lines("met") == [f"met @{at('30T01:00') / HOUR:g}h"]


def test_a_warning_that_would_lie_before_all_dates_comes_at_once() -> None:
    policies = policy_set(commitment("resolution", left("5bh"), p1="50h"), calendar=HOTLINE)
    life = Life(policies).event(created(at("01T00:00"))).wake(at("30T00:00"))
    assert life.lines() == [
        f"started @{at('01T00:00') / HOUR:g}h",
        f"warned -5bh @{at('01T00:00') / HOUR:g}h",
        f"breached @{at('03T02:00') / HOUR:g}h",
    ]


def test_levels_repetitions_and_the_end_of_monitoring_that_never_come_are_not_waited_for() -> None:
    wait = Duration.parse("30bh")
    steps = ladder(
        ("lead", share(50)),
        ("boss", after("20bh")),
        on="resolution",
        of_level={"repeat_every": wait, "max_repeats": 3, "only_in_business_hours": True},
        raise_again_after=wait,
        monitoring=wait,
    )
    assert steps.kind is LadderKind.HIERARCHICAL
    policies = policy_set(commitment("resolution", p1="4h"), ladders=(steps,), calendar=HOTLINE)
    life = Life(policies).event(created(at("10T20:00"))).wake(at("30T00:00"))
    assert life.lines("raised", "repeated") == [f"raised lead @{at('10T22:00') / HOUR:g}h"]
    assert life.steps[-1].wake_at is None
    life.event(changed(at("30T01:00"), status="solved"))
    assert life.lines("monitoring", "released") == [f"released lead @{at('30T01:00') / HOUR:g}h"]


def test_a_level_that_may_speak_only_in_business_hours_is_silent_when_they_are_over() -> None:
    steps = ladder(("lead", after("1h")), on="resolution", of_level={"only_in_business_hours": True})
    policies = policy_set(commitment("resolution", p1="24h"), ladders=(steps,), calendar=HOTLINE)
    life = Life(policies).event(created(at("10T20:00"))).wake(at("30T00:00"))
    assert life.lines("breached", "raised") == [f"breached @{at('11T20:00') / HOUR:g}h"]


def test_time_granted_on_a_calendar_that_has_ended_keeps_its_length_on_the_wall() -> None:
    cap = Duration.parse("9bh")
    business = commitment("resolution", on_change=OnChange.CARRY, p1="2bh", p2="40h")
    business = type(business)(
        business.name, business.metric, business.target, business.warn_at, on_change=business.on_change, extension_cap=cap
    )
    life = Life(policy_set(business, calendar=HOTLINE)).event(created(at("10T20:00")))
    granted = type(created(0))(at("10T21:00"), "x", "extension.granted", "test", commitment="resolution", by="9bh")
    life.event(granted).event(changed(at("10T21:30"), priority="p2"))
    assert life.effects[-1].due_at == at("10T20:00") + 49 * HOUR
