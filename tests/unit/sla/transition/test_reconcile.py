"""The cases in which a wanted commitment or ladder meets the current one, and what each of them makes of it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from stream.sla.effects import Kind, Reason
from stream.sla.policy.conditions import FieldIn
from stream.sla.policy.metric import ANSWER, BEGUN, BUILT_IN, SOLVED, Again, Metric
from stream.sla.policy.policy import Choice, Commitment, Ladder, LadderKind, Level, Policy
from stream.sla.policy.resolve import PolicySet
from stream.sla.policy.timeline import Deployments
from stream.sla.transition import reconcile
from stream.sla.transition.commitment import CommitmentMachine
from stream.sla.transition.escalation import EscalationMachine
from stream.sla.transition.reconcile import TABLE, Action, Case
from tests.unit.sla.given import ALWAYS, HOUR, Life, by_priority, changed, commented, created, used

if TYPE_CHECKING:
    from collections.abc import Callable

COMPILED = not str(reconcile.__file__).endswith(".py")
"""Machine code cannot be patched: of a compiled core only the effects are compared."""
GOLD = FieldIn("contract", frozenset({"gold"}))
TIN = FieldIn("contract", frozenset({"tin"}))
HERE = Metric("here", starts=BEGUN, stops=SOLVED)
THERE = Metric("there", starts=BEGUN, stops=SOLVED)
BY_TEAM = Metric("by_team", starts=FieldIn("team", frozenset({"a"})), stops=SOLVED)
AFTER_ANSWERS = Metric("after_answers", starts=ANSWER, restarts=ANSWER, stops=SOLVED, again=Again.CYCLE)


def policy(metric: Metric, *, ladder: bool = False, target: str = "4h", **more: Any) -> Policy:
    """What is called ``mine`` on a metric: a commitment of four hours (p2: eight), or a ladder."""
    if ladder:
        level = Level("team", ("team",), Choice.fixed(used(target)))
        return Policy(
            "p", 1, Choice.fixed(ALWAYS.name), ladders=(Ladder("mine", LadderKind.FUNCTIONAL, (level,), metric),), **more
        )
    mine = Commitment("mine", metric, by_priority(p1=target, p2="8h"))
    return Policy("p", 1, Choice.fixed(ALWAYS.name), commitments=(mine,), **more)


STORIES = {
    Case.NEW: ([policy(HERE)], [created(0)]),
    Case.TERMS_EQUAL: ([policy(BUILT_IN["resolution"])], [created(0), changed(1 * HOUR, status="pending")]),
    Case.TERMS_DIFFER: ([policy(HERE)], [created(0), changed(1 * HOUR, priority="p2")]),
    Case.UNWANTED: ([policy(HERE, applies_to=GOLD)], [created(0, contract="gold"), changed(3 * HOUR, contract="none")]),
    Case.WANTED_AGAIN: (
        [policy(HERE, applies_to=GOLD)],
        [created(0, contract="gold"), changed(1 * HOUR, contract="none"), changed(2 * HOUR, contract="gold")],
    ),
    Case.DECIDED: ([policy(HERE)], [created(0), changed(5 * HOUR, priority="p2")]),
    Case.COUNTED_ELSEWHERE: (
        [policy(HERE), dataclasses.replace(policy(BY_TEAM), version=2, since=5 * HOUR)],
        [created(0, "p2"), changed(6 * HOUR, team="a")],
    ),
    Case.MOVED: (
        [policy(HERE, applies_to=GOLD), dataclasses.replace(policy(THERE, applies_to=TIN), name="q")],
        [created(0, contract="gold"), changed(1 * HOUR, contract="tin")],
    ),
    Case.NEXT_CYCLE: ([policy(AFTER_ANSWERS)], [created(0), commented(1 * HOUR), commented(2 * HOUR)]),
}
OF_LADDERS = {
    Case.NEW: ([policy(HERE, ladder=True)], [created(0)]),
    Case.TERMS_EQUAL: ([policy(BUILT_IN["resolution"], ladder=True)], [created(0), changed(1 * HOUR, status="pending")]),
    Case.UNWANTED: (
        [policy(HERE, ladder=True, applies_to=GOLD)],
        [created(0, contract="gold"), changed(5 * HOUR, contract="none")],
    ),
    Case.WANTED_AGAIN: (
        [policy(HERE, ladder=True, applies_to=GOLD)],
        [created(0, contract="gold"), changed(5 * HOUR, contract="none"), changed(6 * HOUR, contract="gold")],
    ),
    Case.COUNTED_ELSEWHERE: (
        [policy(HERE, ladder=True), dataclasses.replace(policy(BY_TEAM, ladder=True), version=2, since=5 * HOUR)],
        [created(0), changed(6 * HOUR, team="a")],
    ),
    Case.MOVED: (
        [
            policy(HERE, ladder=True, applies_to=GOLD),
            dataclasses.replace(policy(THERE, ladder=True, applies_to=TIN), name="q"),
        ],
        [created(0, contract="gold"), changed(5 * HOUR, contract="tin")],
    ),
    Case.NEXT_CYCLE: (
        [policy(AFTER_ANSWERS, ladder=True, applies_to=GOLD)],
        [
            created(0, contract="gold"),
            commented(1 * HOUR),
            changed(6 * HOUR, contract="none"),
            commented(7 * HOUR),
            changed(8 * HOUR, contract="gold"),
        ],
    ),
}
EMITTED = {
    Case.NEW: [Kind.STARTED],
    Case.TERMS_EQUAL: [Kind.PAUSED],
    Case.TERMS_DIFFER: [Kind.RETARGETED],
    Case.UNWANTED: [Kind.CANCELLED],
    Case.WANTED_AGAIN: [Kind.STARTED],
    Case.DECIDED: [Kind.BREACHED],
    Case.COUNTED_ELSEWHERE: [],
    Case.MOVED: [Kind.RETARGETED],
    Case.NEXT_CYCLE: [Kind.MET, Kind.STARTED],
}
EMITTED_BY_LADDERS = {
    Case.NEW: [],
    Case.TERMS_EQUAL: [],
    Case.UNWANTED: [Kind.RAISED, Kind.RELEASED],
    Case.WANTED_AGAIN: [Kind.RECURRED],
    Case.COUNTED_ELSEWHERE: [Kind.RAISED],
    Case.MOVED: [Kind.RAISED, Kind.RELEASED],
    Case.NEXT_CYCLE: [],
}


@pytest.fixture
def cases(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """The cases that reconciliation finds, in order."""
    found: list[Case] = []
    if COMPILED:
        return found
    act = reconcile._act

    def note(machine: CommitmentMachine | EscalationMachine, case: int) -> None:
        found.append(Case(case))
        act(machine, case)

    monkeypatch.setattr(reconcile, "_act", note)
    for machine in (CommitmentMachine, EscalationMachine):
        _note_calls(monkeypatch, machine, "withdraw", lambda: found.append(Case.UNWANTED))
        _note_calls(monkeypatch, machine, "redeploy", lambda: found.append(Case.REDEPLOYED))
    return found


def _note_calls(monkeypatch: pytest.MonkeyPatch, machine: type[object], method: str, note: Callable[[], None]) -> None:
    call = getattr(machine, method)

    def noted(*given: object) -> None:
        note()
        call(*given)

    monkeypatch.setattr(machine, method, noted)


def test_every_case_has_an_action_and_every_action_a_case() -> None:
    assert set(TABLE) == set(Case)
    assert set(TABLE.values()) == set(Action)


def test_only_a_commitment_has_a_target_that_can_differ_and_a_verdict_that_stands() -> None:
    assert set(STORIES) - set(OF_LADDERS) == {Case.TERMS_DIFFER, Case.DECIDED}


def test_only_a_deployment_redeploys() -> None:
    assert set(Case) - set(STORIES) == {Case.REDEPLOYED}


@pytest.mark.parametrize("case", STORIES, ids=lambda case: case.name)
def test_a_commitment_meets_every_case(case: Case, cases: list[Case]) -> None:
    policies, events = STORIES[case]
    life = Life(PolicySet(tuple(policies), {ALWAYS.name: ALWAYS}))
    for event in events:
        cases.clear()
        life.event(event)

    assert case in cases or COMPILED
    assert [effect.kind for effect in life.steps[-1].effects] == EMITTED[case]


@pytest.mark.parametrize("case", OF_LADDERS, ids=lambda case: case.name)
def test_a_ladder_meets_every_case_but_those_of_targets_and_verdicts(case: Case, cases: list[Case]) -> None:
    policies, events = OF_LADDERS[case]
    life = Life(PolicySet(tuple(policies), {ALWAYS.name: ALWAYS}))
    for event in events:
        cases.clear()
        life.event(event)

    assert case in cases or COMPILED
    assert [effect.kind for effect in life.steps[-1].effects] == EMITTED_BY_LADDERS[case]


def deployed(before: Policy, *after: Policy) -> Deployments:
    """``before`` from the beginning, and the others from one hour on."""
    calendars = {ALWAYS.name: ALWAYS}
    return Deployments.fixed(PolicySet((before,), calendars)).add(1, 1 * HOUR, PolicySet(after, calendars))


def facts(life: Life) -> list[tuple[object, ...]]:
    """Kind, hour, reason, cause and deployment of what the last step emitted."""
    return [
        (effect.kind, effect.at / HOUR, effect.reason, effect.cause, effect.deployment) for effect in life.steps[-1].effects
    ]


def test_a_deployment_measures_an_open_commitment_whole(cases: list[Case]) -> None:
    life = Life(deployed(policy(HERE), policy(HERE, target="6h"))).event(created(0))
    cases.clear()
    life.wake(2 * HOUR)

    assert cases == [Case.REDEPLOYED] or COMPILED
    assert facts(life) == [(Kind.RETARGETED, 1, Reason.POLICY_CHANGED, "deployment:1", 1)]
    assert life.effects[-1].due_at == 6 * HOUR


def test_a_deployment_that_changes_nothing_about_a_commitment_emits_nothing_of_it(cases: list[Case]) -> None:
    more = Commitment("more", HERE, by_priority(p1="9h"))
    after = dataclasses.replace(policy(HERE), commitments=(*policy(HERE).commitments, more))
    life = Life(deployed(policy(HERE), after)).event(created(0))
    cases.clear()
    life.wake(2 * HOUR)

    assert cases == [Case.REDEPLOYED, Case.NEW] or COMPILED
    assert [(effect.commitment, effect.kind) for effect in life.steps[-1].effects] == [("more", Kind.STARTED)]


def test_a_deployment_that_changes_nothing_about_a_ticket_leaves_its_state_alone(cases: list[Case]) -> None:
    life = Life(deployed(policy(HERE), policy(HERE))).event(created(0))
    cases.clear()
    state = life.state
    life.wake(2 * HOUR)

    assert cases == []
    assert facts(life) == []
    assert life.state is state


def test_a_deployment_takes_an_open_ladder_to_its_new_levels(cases: list[Case]) -> None:
    life = Life(deployed(policy(HERE, ladder=True), policy(HERE, ladder=True, target="6h"))).event(created(0))
    cases.clear()
    life.wake(2 * HOUR)

    assert cases == [Case.REDEPLOYED] or COMPILED
    assert facts(life) == []
    assert life.wake(7 * HOUR).lines() == ["raised team @6h"]


def test_a_level_that_a_deployment_makes_due_in_the_past_is_raised_at_the_deployment() -> None:
    life = Life(deployed(policy(HERE, ladder=True), policy(HERE, ladder=True, target="0.5h"))).event(created(0))

    assert facts(life.wake(2 * HOUR)) == [(Kind.RAISED, 1, Reason.TIME_USED, "deployment:1", 1)]


@pytest.mark.parametrize(("ladder", "kind"), [(False, Kind.CANCELLED), (True, Kind.RELEASED)])
@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (policy(HERE, applies_to=TIN), Reason.NO_LONGER_APPLIES),
        (dataclasses.replace(policy(HERE, applies_to=TIN), name="q"), Reason.POLICY_WITHDRAWN),
    ],
)
def test_a_deployment_withdraws_what_it_does_not_want(
    ladder: bool, kind: Kind, after: Policy, reason: Reason, cases: list[Case]
) -> None:
    life = Life(deployed(policy(HERE, ladder=ladder, target="0.5h" if ladder else "4h"), after)).event(created(0))
    cases.clear()
    life.wake(2 * HOUR)

    assert cases == [Case.UNWANTED] or COMPILED
    assert facts(life)[-1] == (kind, 1, reason, "deployment:1", 1)
