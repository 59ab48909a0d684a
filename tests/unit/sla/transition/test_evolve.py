"""The commitments that begin on a ticket, those that are withdrawn, and the version of the policy that decides."""

from __future__ import annotations

import dataclasses

import pytest

from stream.sla.effects import Reason
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.policy.conditions import ALWAYS, Changed, Condition, FieldIn, Not
from stream.sla.policy.metric import ANSWER, BEGUN, SOLVED, Metric
from stream.sla.policy.policy import Choice, Commitment, Ladder, LadderKind, Level, Policy
from stream.sla.policy.resolve import PolicySet
from tests.unit.sla.given import ALWAYS as AROUND_THE_CLOCK
from tests.unit.sla.given import (
    HOUR,
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

GOLD = FieldIn("contract", frozenset({"gold"}))
FIRST = Metric("first", starts=BEGUN, stops=ANSWER)
SECOND = Metric("second", starts=Changed(frozenset({"team"})), stops=SOLVED)


def commitment_on(metric: Metric) -> Policy:
    return Policy("p", 1, Choice.fixed(AROUND_THE_CLOCK.name), commitments=(Commitment("mine", metric, by_priority(p1="40h")),))


def ladder_on(metric: Metric) -> Policy:
    level = Level("team", ("team",), Choice.fixed(used("40h")))
    return Policy(
        "p", 1, Choice.fixed(AROUND_THE_CLOCK.name), ladders=(Ladder("mine", LadderKind.FUNCTIONAL, (level,), metric),)
    )


def two_versions(first: Policy, second: Policy) -> PolicySet:
    """The second is in force for clocks that start at five hours or later."""
    later = dataclasses.replace(second, version=2, since=5 * HOUR)
    return PolicySet((first, later), {AROUND_THE_CLOCK.name: AROUND_THE_CLOCK})


def test_a_commitment_that_one_version_counts_is_not_counted_by_the_next_on_a_metric_of_its_own() -> None:
    life = run(two_versions(commitment_on(FIRST), commitment_on(SECOND)), created(0), changed(6 * HOUR, team="x"))

    assert life.lines() == ["started @0h", "breached @40h"]
    assert [effect.policy_version for effect in life.effects] == [1, 1]


def test_once_the_clock_of_the_old_version_has_ended_the_new_one_counts() -> None:
    policies = two_versions(commitment_on(FIRST), commitment_on(SECOND))
    life = run(policies, created(0), commented(5 * HOUR), changed(6 * HOUR, team="x"))

    assert life.lines() == ["started @0h", "met @5h", "started @6h", "breached @46h"]
    assert [effect.policy_version for effect in life.effects] == [1, 1, 2, 2]


def test_a_ladder_that_one_version_raises_is_not_raised_by_the_next_on_a_metric_of_its_own() -> None:
    life = run(two_versions(ladder_on(FIRST), ladder_on(SECOND)), created(0), changed(6 * HOUR, team="x"))

    assert [(effect.level, effect.at, effect.policy_version) for effect in life.effects] == [("team", 40 * HOUR, 1)]


def test_once_the_ladder_of_the_old_version_has_ended_the_new_one_raises_levels() -> None:
    policies = two_versions(ladder_on(FIRST), ladder_on(SECOND))
    life = run(policies, created(0), commented(5 * HOUR), changed(6 * HOUR, team="x"))

    assert [(effect.level, effect.at, effect.policy_version) for effect in life.effects] == [("team", 46 * HOUR, 2)]


def gold_only(*policies: Policy) -> PolicySet:
    return PolicySet(
        tuple(dataclasses.replace(policy, applies_to=GOLD) for policy in policies), {AROUND_THE_CLOCK.name: AROUND_THE_CLOCK}
    )


def test_what_a_version_brought_is_withdrawn_by_that_version() -> None:
    metric = Metric("first", starts=BEGUN, stops=SOLVED)
    policy = dataclasses.replace(commitment_on(metric), ladders=ladder_on(metric).ladders, since=5 * HOUR)
    events = [created(6 * HOUR, contract="gold"), changed(50 * HOUR, contract="none")]

    assert run(gold_only(policy), *events).lines() == ["started @6h", "breached @46h", "raised team @46h", "released team @50h"]
    life = run(gold_only(policy), events[0], changed(10 * HOUR, contract="none"))
    assert life.lines() == ["started @6h", "cancelled @10h"]
    assert life.effects[-1].reason is Reason.NO_LONGER_APPLIES


def test_a_breach_stands_when_the_commitment_ceases_to_apply_and_the_others_are_withdrawn() -> None:
    policies = policy_set(commitment("first_response", p1="1h"), commitment("resolution", p1="9h"), applies_to=GOLD)
    life = run(policies, created(0, contract="gold"), changed(2 * HOUR, contract="none"))

    assert [(effect.kind.partition(".")[2], effect.commitment) for effect in life.effects] == [
        ("started", "first_response"),
        ("started", "resolution"),
        ("breached", "first_response"),
        ("cancelled", "resolution"),
    ]


def test_a_ladder_that_never_spoke_is_withdrawn_without_a_word_and_comes_back() -> None:
    policies = policy_set(ladders=(ladder(("team", used("4h"))),), applies_to=GOLD)

    withdrawn = run(policies, created(0, contract="gold"), changed(2 * HOUR, contract="none"))
    assert withdrawn.effects == []
    back = run(policies, created(0, contract="gold"), changed(2 * HOUR, contract=""), changed(3 * HOUR, contract="gold"))
    assert back.lines() == ["raised team @4h"]


def test_a_release_by_a_change_of_fields_names_the_event_and_the_reason() -> None:
    gone = changed(5 * HOUR, contract="none")
    policies = policy_set(ladders=(ladder(("team", used("4h"))),), applies_to=GOLD)
    release = run(policies, created(0, contract="gold"), gone).effects[-1]

    assert (release.reason, release.cause) == (Reason.NO_LONGER_APPLIES, gone.id)


@pytest.mark.parametrize(
    "event",
    [
        changed(5 * HOUR, contract="none"),
        changed(5 * HOUR, status="solved"),
        changed(5 * HOUR, priority="p2"),
        Event(5 * HOUR, "x", "extension.granted", "test", commitment="resolution", by="1h"),
        Event(5 * HOUR, "x", "escalation.requested", "test"),
        Event(5 * HOUR, "x", "escalation.acknowledged", "test"),
        Event(5 * HOUR, "x", "escalation.released", "test"),
        Event(5 * HOUR, "x", "ticket.deleted", "test"),
    ],
    ids=lambda event: f"{event.type} {event.fields}",
)
def test_nothing_an_event_does_changes_the_state_it_was_applied_to(event: Event) -> None:
    steps = ladder(("team", used("4h")), ("manager", used("9h")), on_request="manager")
    engine = Engine(policy_set(commitment("resolution", share(50), p1="6h", p2="9h"), ladders=(steps,), applies_to=GOLD))
    state = engine.apply(None, "T", created(0, contract="gold"), 0).state
    state = engine.wake(state, 5 * HOUR).state
    before = repr(state)

    engine.apply(state, "T", event, 5 * HOUR)

    assert repr(state) == before


@pytest.mark.parametrize("when", [ALWAYS, Not(SOLVED)])
def test_a_commitment_on_a_stopped_clock_is_not_begun_by_a_change_of_fields(when: Condition) -> None:
    resolved = dataclasses.replace(commitment("first_response", p1="1h"), when=when)
    life = run(
        policy_set(resolved), created(0), commented(30), changed(1 * HOUR, priority="p2"), changed(2 * HOUR, priority="p1")
    )

    assert life.lines("started", "met", "breached") == ["started @0h", f"met @{30 / HOUR:g}h"]
