"""When the levels of a ladder, their repetitions and the end of monitoring fall: by day, at night, and after a month."""

from __future__ import annotations

import dataclasses

from stream.language.calendars import read_calendar
from stream.sla.calendar.duration import Duration
from stream.sla.events import Event
from stream.sla.policy.conditions import FieldIn
from stream.sla.policy.resolve import PolicySet
from tests.unit.sla.given import HOUR, Life, changed, created, ladder, policy_set, run, share, used

OFFICE = read_calendar("office", {"timezone": "UTC", "week": {"mon-sun": ["09:00-17:00"]}}, lambda *_: None)
REPEATED = {"repeat_every": Duration.parse("1h"), "max_repeats": 2}


def acknowledged(at: int) -> Event:
    return Event(at, f"a{at}", "escalation.acknowledged", "test")


def test_monitoring_and_repetitions_may_run_in_business_hours() -> None:
    assert OFFICE is not None
    levels = ladder(
        ("team", used("1bh")),
        of_level={"repeat_every": Duration.parse("4bh"), "max_repeats": 9},
        raise_again_after=Duration.parse("8bh"),
        monitoring=Duration.parse("10bh"),
    )
    life = Life(policy_set(ladders=(levels,), calendar=OFFICE)).event(created(13 * HOUR))
    life.event(acknowledged(35 * HOUR)).event(changed(60 * HOUR, status="solved")).wake(999 * HOUR)

    assert life.lines() == [
        "raised team @14h",
        "repeated team @34h",
        "acknowledged team @35h",
        "repeated team @59h",
        "monitoring team @60h",
        "released team @86h",
    ]


def test_an_escalation_may_be_watched_for_a_month() -> None:
    policies = policy_set(ladders=(ladder(("team", used("4h")), monitoring=Duration.parse("1mo")),))
    life = run(policies, created(0), changed(5 * HOUR, status="solved"))

    assert life.lines("released") == [f"released team @{31 * 24 + 5}h"]


def test_only_a_level_for_business_hours_waits_for_them_its_repetitions_too() -> None:
    assert OFFICE is not None
    waits = {**REPEATED, "only_in_business_hours": True}

    def emitted(**of_level: object) -> list[str]:
        levels = ladder(("team", used("4h")), of_level=of_level, raise_again_after=Duration.parse("12h"))
        life = Life(policy_set(ladders=(levels,), calendar=OFFICE)).event(created(12 * HOUR))
        return life.event(acknowledged(42 * HOUR)).wake(58 * HOUR).lines()

    assert emitted(**REPEATED)[:3] == ["raised team @16h", "repeated team @17h", "repeated team @18h"]
    assert emitted(**waits)[:3] == ["raised team @16h", "repeated team @33h", "repeated team @34h"]
    assert emitted(**REPEATED)[4] == "repeated team @54h"
    assert emitted(**waits)[4:] == ["repeated team @57h"]


def test_an_unrestricted_level_is_raised_at_night() -> None:
    assert OFFICE is not None
    life = run(policy_set(ladders=(ladder(("team", used("4h"))),), calendar=OFFICE), created(15 * HOUR))

    assert life.lines() == ["raised team @19h"]


def test_a_level_may_stand_a_month_after_the_start() -> None:
    life = run(policy_set(ladders=(ladder(("team", used("1mo"))),)), created(0))

    assert life.lines() == [f"raised team @{31 * 24}h"]


def test_a_ladder_of_its_own_has_no_target_of_which_a_share_could_be_used() -> None:
    life = run(policy_set(ladders=(ladder(("team", share(50)), ("manager", used("8h"))),)), created(0))

    assert life.lines() == ["raised manager @8h"]


def test_a_ladder_goes_on_with_its_own_levels_where_it_does_not_know_the_one_that_was_raised() -> None:
    gold, tin = (FieldIn("contract", frozenset({name})) for name in ("gold", "tin"))
    (first,) = policy_set(ladders=(ladder(("team", used("4h"))),), applies_to=gold).policies
    other = ladder(("desk", used("9h")))
    second = dataclasses.replace(
        first, name="q", applies_to=tin, ladders=(dataclasses.replace(other, metric=first.ladders[0].metric),)
    )
    life = run(
        PolicySet((first, second), policy_set().calendars), created(0, contract="gold"), changed(5 * HOUR, contract="tin")
    )

    assert life.lines("raised") == ["raised team @4h", "raised desk @9h"]
