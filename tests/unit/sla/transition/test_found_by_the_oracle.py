"""Cases that an independent implementation of the rules found."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from stream.language.calendars import read_calendar
from stream.sla.calendar.duration import Duration
from stream.sla.effects import Kind, Reason
from stream.sla.policy.conditions import ALWAYS, FieldIn
from stream.sla.policy.metric import BEGUN, BUILT_IN, SOLVED, Metric
from stream.sla.policy.policy import Choice, Commitment, Ladder, LadderKind, Level, OnChange, Policy, Threshold
from stream.sla.policy.resolve import PolicySet
from tests.unit.sla.given import ALWAYS as AROUND_THE_CLOCK
from tests.unit.sla.given import (
    HOUR,
    after,
    by_priority,
    changed,
    commented,
    commitment,
    created,
    ladder,
    policy_set,
    run,
    share,
    used,
)

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar

P1, P2 = (FieldIn("priority", frozenset({name})) for name in ("p1", "p2"))


def _thresholds_by_priority(**thresholds: list[Threshold]) -> Choice[tuple[Threshold, ...]]:
    return Choice(tuple((FieldIn("priority", frozenset({p})), tuple(m)) for p, m in thresholds.items()))


# Fields may change the warnings and leave the target.
def test_warnings_follow_the_fields_though_the_target_stays() -> None:
    resolved = dataclasses.replace(
        commitment("resolution", p1="8h", p2="8h"), warn_at=_thresholds_by_priority(p1=[share(75)], p2=[share(25)])
    )
    life = run(policy_set(resolved), created(0), changed(1 * HOUR, priority="p2"))
    assert life.lines("warned", "breached") == ["warned 25% @2h", "breached @8h"]


def test_warnings_that_the_new_fields_bring_are_sent() -> None:
    resolved = dataclasses.replace(commitment("resolution", p1="8h", p2="8h"), warn_at=_thresholds_by_priority(p2=[share(50)]))
    life = run(policy_set(resolved), created(0), changed(1 * HOUR, priority="p2"))
    assert life.lines("warned", "breached") == ["warned 50% @4h", "breached @8h"]


# A ticket begins with the status "new", stated or not.
def test_a_metric_that_starts_while_new_starts_with_the_ticket() -> None:
    metric = Metric("mine", starts=FieldIn("status", frozenset({"new", "open"})), stops=SOLVED)
    resolved = Commitment("mine", metric, by_priority(p1="4h"))
    assert run(policy_set(resolved), created(0)).lines() == ["started @0h", "breached @4h"]
    assert run(policy_set(resolved), created(0, status="new")).lines() == ["started @0h", "breached @4h"]


def test_a_metric_that_always_starts_starts_with_the_ticket() -> None:
    metric = Metric("mine", starts=ALWAYS, stops=SOLVED)
    resolved = Commitment("mine", metric, by_priority(p1="4h"))
    assert run(policy_set(resolved), created(0)).lines() == ["started @0h", "breached @4h"]


# reset "begins a new cycle at the change": time used counts from there, for a threshold of time used as well.
def test_after_a_reset_time_used_counts_from_the_change() -> None:
    life = run(
        policy_set(commitment("resolution", used("2h"), on_change=OnChange.RESET)),
        created(0, "p2"),
        changed(3 * HOUR, priority="p1"),
    )
    assert life.lines("warned", "breached") == ["warned 2h @2h", "warned 2h @5h", "breached @7h"]


# A ladder that ceased to apply and applies again goes on.
def test_a_ladder_that_applies_again_raises_its_next_levels() -> None:
    gold = FieldIn("contract", frozenset({"gold"}))
    policies = policy_set(ladders=(dataclasses.replace(ladder(("team", used("4h")), ("manager", used("8h"))), when=gold),))
    life = run(policies, created(0, contract="gold"), changed(5 * HOUR, contract="tin"), changed(6 * HOUR, contract="gold"))
    assert "raised manager @8h" in life.lines("raised")


def _office() -> Calendar:
    def fail(where: object, message: str) -> None:
        raise AssertionError((where, message))

    office = read_calendar("office", {"timezone": "UTC", "week": {"mon-sun": ["09:00-17:00"]}}, fail)
    assert office is not None
    return office


def test_monitoring_ends_at_the_instant_that_was_emitted() -> None:
    office = _office()
    watched = ladder(("team", used("1h")), monitoring=Duration.parse("4bh"))
    calendar = Choice(((P1, "office"), (ALWAYS, "24x7")))
    policies = PolicySet((Policy("p", 1, calendar, ladders=(watched,)),), {"office": office, "24x7": AROUND_THE_CLOCK})
    life = run(policies, created(0), changed(16 * HOUR, status="solved", priority="p2"))
    watch, release = life.effects[-2:]
    assert (watch.kind, release.kind) == (Kind.MONITORING, Kind.RELEASED)
    assert release.at == watch.due_at


def test_a_resumption_shows_the_deadline_of_the_target_it_still_has() -> None:
    office = _office()
    calendar = Choice(((P1, "office"), (ALWAYS, "24x7")))
    resolved = Commitment(
        "resolution", BUILT_IN["resolution"], Choice(((P1, Duration.parse("2bh")), (P2, Duration.parse("9h"))))
    )
    policies = PolicySet((Policy("p", 1, calendar, commitments=(resolved,)),), {"office": office, "24x7": AROUND_THE_CLOCK})
    life = run(
        policies,
        created(0),
        changed(1 * HOUR, status="solved", priority="p2"),
        changed(2 * HOUR, status="open"),
        until=3 * HOUR,
    )
    (resumed,) = [effect for effect in life.effects if effect.kind is Kind.RESUMED]
    assert resumed.due_at == 10 * HOUR  # nine hours of the new target, one of them used


def test_nobody_who_was_notified_of_an_escalation_is_left_without_its_end() -> None:
    policies = policy_set(
        commitment("next_response", p1="1h"),
        ladders=(ladder(("team", after("1h")), on="next_response", monitoring=Duration.parse("24h")),),
    )
    life = run(
        policies,
        created(0),
        commented(1 * HOUR),
        commented(2 * HOUR, "customer"),
        commented(5 * HOUR),
        commented(6 * HOUR, "customer"),
        until=7 * HOUR,
    )
    assert life.lines("raised", "monitoring", "released", "recurred")[2:] != []


def test_a_stop_of_another_metric_does_not_end_an_escalation_of_the_same_name() -> None:
    level = Level("team", ("team",), Choice.fixed(used("1h")))
    own_metric = Metric("wait", starts=FieldIn("@begun", frozenset({"yes"})), stops=SOLVED)
    by_itself = Ladder("late", LadderKind.FUNCTIONAL, (level,), own_metric)
    on_answers = Ladder("late", LadderKind.FUNCTIONAL, (level,), commitment="next_response", monitoring=Duration.parse("2h"))
    later = Policy(
        "p",
        2,
        Choice.fixed(AROUND_THE_CLOCK.name),
        since=created(10 * HOUR).at,
        commitments=(commitment("next_response"),),
        ladders=(on_answers,),
    )
    before = Policy("q", 1, Choice.fixed(AROUND_THE_CLOCK.name), ladders=(by_itself,))
    policies = PolicySet((later, before), {AROUND_THE_CLOCK.name: AROUND_THE_CLOCK})

    life = run(
        policies,
        created(0),
        commented(1 * HOUR, "agent"),
        commented(11 * HOUR, "customer"),
        commented(12 * HOUR, "agent"),
        until=20 * HOUR,
    )

    assert [(effect.kind, effect.at) for effect in life.effects if effect.ladder] == [(Kind.RAISED, created(1 * HOUR).at)]


def test_a_cycle_that_begins_in_a_version_without_the_ladder_ends_the_monitoring_of_the_one_before() -> None:
    own = ladder(("team", after("1h")), on="next_response", monitoring=Duration.parse("24h"))
    calendar, answers = Choice.fixed(AROUND_THE_CLOCK.name), (commitment("next_response", p1="1h"),)
    first = Policy("p", 1, calendar, commitments=answers, ladders=(own,))
    second = Policy("p", 2, calendar, since=5 * HOUR, commitments=answers)
    policies = PolicySet((first, second), {AROUND_THE_CLOCK.name: AROUND_THE_CLOCK})

    life = run(
        policies,
        created(0),
        commented(1 * HOUR),
        commented(2 * HOUR, "customer"),
        commented(4 * HOUR + HOUR // 2),
        commented(6 * HOUR, "customer"),
        until=100 * HOUR,
    )

    escalated = [(effect.kind, effect.at) for effect in life.effects if effect.ladder]
    assert escalated[1:] == [(Kind.MONITORING, 4 * HOUR + HOUR // 2), (Kind.RELEASED, 6 * HOUR)]
    assert [effect.reason for effect in life.effects if effect.kind is Kind.RELEASED] == [Reason.RESTARTED]


def test_a_ladder_of_the_same_name_on_another_metric_does_not_watch_on() -> None:
    own, other = (
        dataclasses.replace(ladder(("team", used("1h")), monitoring=Duration.parse("24h")), metric=Metric(name, BEGUN, SOLVED))
        for name in ("p/ladder", "q/ladder")
    )
    calendar = Choice.fixed(AROUND_THE_CLOCK.name)
    gold = Policy("p", 1, calendar, FieldIn("contract", frozenset({"gold"})), ladders=(own,))
    rest = Policy("q", 1, calendar, ladders=(other,))
    policies = PolicySet((gold, rest), {AROUND_THE_CLOCK.name: AROUND_THE_CLOCK})

    life = run(policies, created(0, contract="gold"), changed(2 * HOUR, status="solved", contract="tin"))

    assert life.lines() == ["raised team @1h", "monitoring team @2h", "released team @2h"]
