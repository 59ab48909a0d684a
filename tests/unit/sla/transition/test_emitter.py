"""What an effect carries beside what happened: the ticket, the policy, the calendar and the readings."""

from __future__ import annotations

import dataclasses

from stream.language.calendars import read_calendar
from stream.sla.effect_ids import stem
from stream.sla.effects import Kind
from stream.sla.policy.metric import BUILT_IN
from tests.unit.sla.given import HOUR, Life, changed, commented, commitment, created, ladder, policy_set, run, share, used

OFFICE = read_calendar("office", {"timezone": "Asia/Kolkata", "week": {"mon-sun": ["14:30-22:30"]}}, lambda *_: None)
"""Open from 09:00 to 17:00 UTC."""


def test_an_escalation_carries_the_ticket_the_policy_the_calendar_and_the_readings() -> None:
    assert OFFICE is not None
    own = dataclasses.replace(ladder(("team", used("3bh")), owner="duty-manager"), metric=BUILT_IN["resolution"])
    life = Life(policy_set(ladders=(own,), calendar=OFFICE))
    life.event(created(9 * HOUR, team="a", channel=""))
    life.event(changed(10 * HOUR, status="pending")).event(changed(12 * HOUR, status="open")).wake(20 * HOUR)

    (raised,) = life.effects
    assert (raised.kind, raised.at, raised.detected_at, raised.ticket) == (Kind.RAISED, 14 * HOUR, 20 * HOUR, "T")
    assert raised.fields == {"priority": "p1", "team": "a", "status": "open"}
    assert (raised.policy, raised.policy_version, raised.owner, raised.cycle) == ("p", 1, "duty-manager", 1)
    assert (raised.elapsed, raised.paused) == (3 * HOUR, 2 * HOUR)
    assert (raised.calendar, raised.timezone) == ("office", "Asia/Kolkata")


def test_an_escalation_reads_the_time_used_in_business_hours() -> None:
    assert OFFICE is not None
    own = dataclasses.replace(ladder(("team", used("9bh"))), metric=BUILT_IN["resolution"])
    life = run(
        policy_set(ladders=(own,), calendar=OFFICE),
        created(15 * HOUR),
        changed(16 * HOUR, status="pending"),
        changed(34 * HOUR, status="open"),
    )

    assert (life.effects[-1].at, life.effects[-1].elapsed, life.effects[-1].paused) == (58 * HOUR, 9 * HOUR, 2 * HOUR)


def test_an_escalation_of_a_later_cycle_is_named_after_it() -> None:
    own = dataclasses.replace(ladder(("team", used("1h"))), metric=BUILT_IN["periodic_update"])
    life = Life(policy_set(ladders=(own,)))
    for event in (created(0), commented(1 * HOUR), commented(3 * HOUR), changed(5 * HOUR, status="solved")):
        life.event(event)

    assert [(effect.kind, effect.cycle) for effect in life.effects] == [
        (Kind.RAISED, 1),
        (Kind.RELEASED, 1),
        (Kind.RAISED, 2),
        (Kind.RELEASED, 2),
    ]
    assert [effect.id for effect in life.effects] == [
        stem(
            "T",
            "ladder",
            ("periodic_update", effect.cycle, effect.at if effect.kind is Kind.RELEASED else 0),
            effect.kind,
            "team#0",
        )
        for effect in life.effects
    ]


def test_a_commitment_carries_the_ticket_the_policy_the_calendar_and_the_readings() -> None:
    assert OFFICE is not None
    life = Life(policy_set(commitment("resolution", share(50), p1="4bh"), calendar=OFFICE)).event(created(9 * HOUR, team="a"))
    life.event(changed(10 * HOUR, status="pending")).event(changed(12 * HOUR, status="open")).wake(14 * HOUR)

    warning = life.effects[-1]
    assert (warning.kind, warning.level, warning.at, warning.detected_at) == (Kind.WARNED, "50%", 13 * HOUR, 14 * HOUR)
    assert warning.fields == {"priority": "p1", "team": "a", "status": "open"}
    assert (warning.ticket, warning.policy, warning.policy_version, warning.cycle) == ("T", "p", 1, 1)
    assert (warning.elapsed, warning.paused, warning.target, warning.due_at) == (2 * HOUR, 2 * HOUR, 4 * HOUR, 15 * HOUR)
    assert (warning.calendar, warning.timezone) == ("office", "Asia/Kolkata")
    assert warning.id == stem("T", "resolution", ("resolution", 1, 0), Kind.WARNED, "50%")


def test_effects_show_the_fields_of_the_ticket_in_their_order_however_they_changed() -> None:
    life = Life(policy_set(commitment("resolution", p1="4h", p2="8h")))
    events = (
        changed(0, priority="p2", team="a"),
        created(1 * HOUR, priority="p1"),
        changed(2 * HOUR, status="pending", team=""),
        changed(3 * HOUR, status="open", channel="chat"),
        changed(4 * HOUR, priority="p2", team="b"),
        commented(5 * HOUR),
        changed(6 * HOUR, status="pending"),
        changed(7 * HOUR, status="solved", priority="p2"),
    )
    for event in events:
        before = len(life.effects)
        life.event(event)
        assert life.state is not None
        fields = life.state.head.fields.items()
        shown = [(name, value) for name, value in fields if value and not name.startswith("@")]
        assert len(life.effects) > before or event.type == "comment.added"
        assert [list(effect.fields.items()) for effect in life.effects[before:]] == [shown] * (len(life.effects) - before)
