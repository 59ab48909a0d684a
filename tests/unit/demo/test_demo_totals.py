"""The demo's totals do not count retracted effects, and count an effect that was stated again once."""

from __future__ import annotations

import io

from rich.console import Console

from stream.demo.totals import Totals
from stream.demo.view import View
from stream.sla.effects import Effect, Kind, Reason
from stream.sla.policy.policy import LadderKind
from stream.wire.decode import Rejected, RejectReason
from stream.wire.effect import DeadLetter
from tests.effects import effect_of

NOON = 1_768_804_200_000_000
"""2026-01-19T12:00 in India."""


def effect(kind: Kind, id: str = "1", priority: str = "p1", **rest: object) -> Effect:  # noqa: A002  the field's name
    values: dict[str, object] = {
        "at": NOON,
        "detected_at": NOON,
        "ticket": "desk/1",
        "fields": {"priority": priority, "channel": "chat", "customer": "acme"},
        "policy": "p",
        "policy_version": 1,
        "reason": Reason.TARGET_PASSED,
        "cause": "timer",
        "commitment": "chat_answer",
        "timezone": "Asia/Kolkata",
        **rest,
    }
    return effect_of(kind, id=id, **values)


def test_commitments_are_counted_by_priority_and_outcome() -> None:
    totals = Totals()

    totals.effect(effect(Kind.MET, "1", "p1"))
    totals.effect(effect(Kind.BREACHED, "2", "p1"))
    totals.effect(effect(Kind.MET, "3", "p2"))
    totals.effect(effect(Kind.MET_LATE, "4", "p2"))

    assert totals.decided() == {"p1": {Kind.MET: 1, Kind.BREACHED: 1}, "p2": {Kind.MET: 1}}


def test_a_retracted_breach_does_not_count_and_one_stated_again_counts_once() -> None:
    totals = Totals()

    totals.effect(effect(Kind.BREACHED, "1"))
    totals.effect(effect(Kind.BREACH_RETRACTED, "r", retracts="1"))
    assert (totals.decided(), totals.corrected) == ({}, 1)

    totals.effect(effect(Kind.BREACHED, "1.1"))
    assert totals.decided() == {"p1": {Kind.BREACHED: 1}}


def test_a_retracted_escalation_does_not_count() -> None:
    totals = Totals()

    totals.effect(effect(Kind.RAISED, "1", level="executive"))
    totals.effect(effect(Kind.RAISED, "2", level="executive"))
    totals.effect(effect(Kind.ESCALATION_RETRACTED, "r", retracts="1"))

    assert totals.raised() == {"executive": 1}


def test_without_a_terminal_each_effect_is_a_line_with_its_deadline_in_the_customers_zone() -> None:
    out = io.StringIO()
    dead_letter = DeadLetter(Rejected(RejectReason.INVALID, "", "$.at"), b"desk/2", b"", "ticket-events", 3, 17, NOON)

    with View(Console(file=out, width=150), "http://here/metrics") as view:
        view.effect(effect(Kind.STARTED))
        view.effect(effect(Kind.BREACHED, due_at=NOON))
        view.clock(NOON, 1, 2)
        view.dead_letter(dead_letter)

    assert out.getvalue().splitlines() == [
        "Metrics while it runs: http://here/metrics",
        "Mon 19 Jan 12:00  BREACHED         desk/1     p1 chat acme  chat_answer  due Mon 19 Jan 12:00  target_passed",
        "Mon 19 Jan 12:00  rejected         desk/2     ticket-events[3]@17  invalid at $.at",
    ]


def test_in_a_terminal_the_display_has_the_clock_the_counts_and_the_metrics_address() -> None:
    out = io.StringIO()
    console = Console(file=out, width=150, height=40, force_terminal=True)

    with View(console, "http://here/metrics") as view:
        view.clock(NOON, 1, 2)
        view.effect(effect(Kind.BREACHED, due_at=NOON))

    picture = out.getvalue()
    for part in ("Mon 19 Jan 12:00", "feed 50%", "breached 1", "http://here/metrics", "desk/1"):
        assert part in picture


def test_an_escalation_is_shown_with_its_kind_and_the_team_that_takes_over() -> None:
    out = io.StringIO()
    with View(Console(file=out, width=200), "") as view:
        team = {"ladder": "skill", "escalation_kind": LadderKind.FUNCTIONAL, "level": "second", "assign_to": "Second line"}
        view.effect(effect(Kind.RAISED, **team))

    assert "target_passed (functional), assigned to Second line" in out.getvalue()
