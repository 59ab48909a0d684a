"""Commitments whose target is a delay in business days: pauses, warnings, extensions, levels, changes, reopenings."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from stream.language.calendars import read_calendar
from stream.sla.calendar.duration import Duration
from stream.sla.codec import codec
from stream.sla.events import Event
from stream.sla.policy.policy import Choice, OnChange
from stream.sla.policy.timeline import Deployments
from tests.unit.sla.given import HOUR, MINUTE, Life, after, changed, commitment, created, ladder, left, policy_set, share, used

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar
    from stream.sla.policy.policy import Commitment
    from stream.sla.policy.resolve import PolicySet


def calendar(**more: Any) -> Calendar:
    data = {"timezone": "Asia/Kolkata", "week": {"mon-fri": ["09:00-17:00"]}, **more}
    found = read_calendar("office", data, lambda _, message: None)
    assert found is not None
    return found


OFFICE = calendar()


def at(text: str) -> int:
    """An instant in November 2026: ``16T10:00``, a Monday."""
    return round(datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=ZoneInfo("Asia/Kolkata")).timestamp()) * 1_000_000


def effects_of(
    target: Commitment, *events: Event, until: str = "30T00:00", of: Calendar = OFFICE, ladders: Any = ()
) -> list[str]:
    """``kind level when`` of all effects but the start."""
    life = Life(policy_set(target, calendar=of, ladders=ladders))
    for event in events:
        life.event(event)
    life.wake(at(until))
    return lines(life)


def lines(life: Life) -> list[str]:
    shown = []
    for effect in life.effects:
        when = datetime.fromtimestamp(effect.at / 1e6, ZoneInfo("Asia/Kolkata"))
        kind = effect.kind.partition(".")[2]
        if kind != "started":
            shown.append(" ".join(filter(None, (kind, effect.level, f"{when:%dT%H:%M}"))))
    return shown


def test_it_is_breached_at_its_end_and_met_at_that_very_instant() -> None:
    target = commitment(p1="+1 business day at 16:00")
    assert effects_of(target, created(at("16T10:00"))) == ["breached 17T16:00"]
    assert effects_of(target, created(at("16T10:00")), changed(at("17T16:00"), status="solved")) == ["met 17T16:00"]


def test_a_pause_moves_the_end_by_the_open_time_for_which_it_lasted() -> None:
    target = commitment(p1="+1 business day at 16:00")
    paused = [created(at("16T10:00")), changed(at("16T16:00"), status="pending")]
    assert effects_of(target, *paused, until="17T20:00") == ["paused 16T16:00"]
    back = changed(at("17T11:00"), status="open")  # one hour on Monday, two on Tuesday
    assert effects_of(target, *paused, back) == ["paused 16T16:00", "resumed 17T11:00", "breached 18T11:00"]


def test_a_pause_in_closed_hours_moves_nothing() -> None:
    target = commitment(p1="+1 business day at close")
    pauses = [changed(at("16T18:00"), status="pending"), changed(at("17T08:00"), status="open")]
    assert effects_of(target, created(at("16T10:00")), *pauses)[-1] == "breached 17T17:00"


def test_an_end_out_of_hours_stands_unless_open_time_was_paused() -> None:
    target = commitment(p1="+1 business day")
    start = created(at("16T22:00"))
    assert effects_of(target, start) == ["breached 17T22:00"]
    hour = [changed(at("17T10:00"), status="pending"), changed(at("17T11:00"), status="open")]
    assert effects_of(target, start, *hour)[-1] == "breached 18T10:00"


def test_paused_over_the_end_it_is_due_when_the_pause_is_over() -> None:
    target = commitment(p1="+1 business day")
    start = created(at("16T22:00"))
    over = [changed(at("17T18:00"), status="pending"), changed(at("18T08:00"), status="open")]
    assert effects_of(target, start, *over) == ["paused 17T18:00", "resumed 18T08:00", "breached 18T08:00"]
    solved = changed(at("18T08:00"), status="solved")
    assert effects_of(target, start, over[0], solved) == ["paused 17T18:00", "met 18T08:00"]


def test_a_pause_at_the_very_end_is_in_time() -> None:
    target = commitment(p1="+1 business day")
    pause = [changed(at("17T22:00"), status="pending"), changed(at("18T08:00"), status="open")]
    assert effects_of(target, created(at("16T22:00")), *pause) == ["paused 17T22:00", "resumed 18T08:00", "breached 18T08:00"]


def test_warnings_count_business_time_and_wall_time_before_the_end() -> None:
    target = commitment("resolution", share(50), left("1h"), left("2bh"), used("1bh"), p1="+1 business day at 16:00")
    assert effects_of(target, created(at("16T10:00"))) == [
        "warned 1bh 16T11:00",
        "warned 50% 16T17:00",
        "warned -2bh 17T14:00",
        "warned -1h 17T15:00",
        "breached 17T16:00",
    ]


def test_without_any_business_time_before_the_end_no_share_is_warned_of() -> None:
    target = commitment("resolution", share(50), left("30m"), p1="+1 business day at 08:00")
    assert effects_of(target, created(at("16T20:00"))) == ["warned -30m 17T07:30", "breached 17T08:00"]


def test_an_extension_adds_business_time_to_the_end() -> None:
    target = replace(commitment(p1="+1 business day"), extension_cap=Duration.parse("2bd"))
    granted = Event(at("17T10:00"), "x", "extension.granted", "test", commitment="resolution", by="90bm")
    assert effects_of(target, created(at("16T22:00")), granted) == ["retargeted 17T10:00", "breached 18T10:30"]
    wall = Event(at("17T10:00"), "x", "extension.granted", "test", commitment="resolution", by="90m")
    assert effects_of(target, created(at("16T22:00")), wall) == ["extension_refused 17T10:00", "breached 17T22:00"]


def test_levels_stand_before_at_and_after_the_end() -> None:
    steps = ladder(
        ("half", share(50)),
        ("end", share(100)),
        ("next", after("1 business day at 09:00")),
        ("late", after("1bh")),
        on="resolution",
    )
    assert effects_of(commitment(p1="+1 business day"), created(at("16T22:00")), ladders=(steps,)) == [
        "raised half 17T13:00",
        "breached 17T22:00",
        "raised end 17T22:00",
        "raised next 18T09:00",
        "raised late 18T10:00",
    ]


def test_a_ladder_of_its_own_may_count_business_days_repeat_on_them_and_monitor_for_them() -> None:
    steps = ladder(
        ("lead", used("+1 business day at close")),
        of_level={"repeat_every": Duration.parse_any("+0 business days at 09:00"), "max_repeats": 2},
        monitoring=Duration.parse_any("+2 business days at close"),
    )
    events = [created(at("16T10:00")), changed(at("20T10:00"), status="solved")]
    assert effects_of(commitment(p1="10d"), *events, ladders=(steps,)) == [
        "raised lead 17T17:00",
        "repeated lead 18T09:00",
        "repeated lead 19T09:00",
        "met 20T10:00",
        "monitoring lead 20T10:00",
        "released lead 24T17:00",
    ]


def test_a_change_of_priority_carries_the_start_or_counts_from_the_change() -> None:
    events = [created(at("16T10:00"), "p2"), changed(at("17T18:00"), priority="p1")]
    for mode, expected in (
        (OnChange.CARRY, ["retargeted 17T18:00", "breached 18T17:00"]),
        (OnChange.FORWARD, ["retargeted 17T18:00", "breached 19T17:00"]),
        (OnChange.RESET, ["retargeted 17T18:00", "breached 19T17:00"]),
    ):
        target = commitment(on_change=mode, p1="+2 business days at close", p2="+9 business days")
        assert effects_of(target, *events) == expected


def test_a_month_that_counts_from_a_change_is_the_month_after_the_change() -> None:
    target = commitment(on_change=OnChange.FORWARD, p1="1mo", p2="90d")
    events = [created(at("16T10:00"), "p2"), changed(at("16T10:00") + 20 * 24 * HOUR, priority="p1")]
    life = Life(policy_set(target, calendar=OFFICE))
    for event in events:
        life.event(event)
    assert life.effects[-1].due_at == at("16T10:00") + (20 + 31) * 24 * HOUR  # from 6 December to 6 January


def test_a_reopening_moves_the_end_by_the_open_time_in_which_it_was_solved() -> None:
    events = [created(at("16T10:00")), changed(at("16T12:00"), status="solved"), changed(at("17T10:00"), status="open")]
    target = commitment(p1="+1 business day at 16:00")
    assert effects_of(target, *events) == ["met 16T12:00", "resumed 17T10:00", "breached 18T14:00"]


def test_what_has_no_such_business_day_is_pending_and_met() -> None:
    hotline = read_calendar(
        "office",
        {"timezone": "Asia/Kolkata", "exceptions": [{"date": "2026-11-16", "open": ["09:00-17:00"]}]},
        lambda _, message: None,
    )
    assert hotline is not None
    target = commitment("resolution", share(50), left("1h"), p1="+1 business day")
    assert effects_of(target, created(at("16T10:00")), of=hotline) == []
    assert effects_of(target, created(at("16T10:00")), changed(at("20T10:00"), status="solved"), of=hotline) == ["met 20T10:00"]


def deployed(before: PolicySet, later: PolicySet, instant: int) -> Deployments:
    return Deployments.fixed(before).add(1, instant, later)


def test_another_calendar_moves_the_end_of_what_is_open_and_of_what_is_paused() -> None:
    target = commitment(p1="+1 business day at close")
    short = policy_set(target, calendar=calendar(week={"mon-fri": ["09:00-15:00"]}))
    long_weekend = policy_set(target, calendar=calendar(holidays=["2026-11-17"]))
    for later, expected, while_paused in (
        (short, ["retargeted 16T12:00", "breached 17T15:00"], ["paused 16T11:00", "retargeted 16T12:00"]),
        # The end moves, and the business time up to it is the same: nothing is new of a commitment without a deadline.
        (long_weekend, ["retargeted 16T12:00", "breached 18T17:00"], ["paused 16T11:00"]),
    ):
        life = Life(deployed(policy_set(target, calendar=OFFICE), later, at("16T12:00")))
        life.event(created(at("16T10:00"))).wake(at("30T00:00"))
        assert lines(life) == expected
        paused = Life(deployed(policy_set(target, calendar=OFFICE), later, at("16T12:00")))
        paused.event(created(at("16T10:00"))).event(changed(at("16T11:00"), status="pending"))
        paused.wake(at("16T13:00"))
        assert lines(paused) == while_paused


def test_a_deployment_that_changes_the_words_of_a_target_alone_and_not_its_end_keeps_the_deadline() -> None:
    before = policy_set(commitment(p1="+1 business day at close"), calendar=OFFICE)
    later = policy_set(commitment(p1="+1 business day at 17:00"), calendar=OFFICE)
    life = Life(deployed(before, later, at("16T12:00"))).event(created(at("16T10:00"))).wake(at("30T00:00"))
    assert lines(life) == ["breached 17T17:00"]


def test_the_length_of_a_delay_is_stored_with_the_ticket_and_not_with_the_terms_that_tickets_share() -> None:
    policies = policy_set(commitment(p1="+1 business day at 20:00"), calendar=OFFICE)
    terms = set()
    for minute in range(5):
        life = Life(policies).event(created(at("16T10:00") + minute * MINUTE))
        assert life.state is not None
        state = codec.decode(codec.encode(life.state))
        assert state == life.state
        one = state.head.commitments["resolution"]
        assert (one.extended_target, one.adjusted.not_before) == ((15 * 60 - minute) * MINUTE, at("17T20:00"))
        terms.add(one.terms)
    assert len(terms) == 1


def test_a_choice_may_mix_lengths_and_delays() -> None:
    target = commitment(p1="4bh", p2="+0 business days at close")
    assert isinstance(target.target, Choice)
    assert effects_of(target, created(at("16T10:00"))) == ["breached 16T14:00"]
    assert effects_of(target, created(at("16T10:00"), "p2")) == ["breached 16T17:00"]
    assert effects_of(target, created(at("16T10:00"), "p2"), changed(at("16T12:00"), priority="p1")) == [
        "retargeted 16T12:00",
        "breached 16T14:00",
    ]
