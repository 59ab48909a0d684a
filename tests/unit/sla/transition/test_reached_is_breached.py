"""A commitment that is met only before its deadline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream.sla.effects import Reason
from stream.sla.explain.explain import explain
from stream.sla.explain.terms import Term
from stream.sla.policy.policy import AtDeadline, Commitment
from stream.sla.policy.timeline import Deployments
from stream.sla.step import Outcome
from tests.unit.sla.given import HOUR, MINUTE, Life, changed, commented, commitment, created, policy_set, run, share


def strict(one: Commitment) -> Commitment:
    return replace(one, at_deadline=AtDeadline.BREACHED)


RESPONSE = policy_set(strict(commitment("first_response")))
RESOLUTION = policy_set(strict(commitment("resolution", share(50), p1="4h", p2="8h")))


@pytest.mark.parametrize(("at", "emitted"), [(4 * HOUR - 1, ["met"]), (4 * HOUR, ["breached", "met_late"])])
def test_it_is_met_up_to_the_last_microsecond_before_the_deadline(at: int, emitted: list[str]) -> None:
    life = run(RESPONSE, created(0), commented(at))

    assert [effect.kind.partition(".")[2] for effect in life.effects if effect.kind != "commitment.started"] == emitted


def test_the_breach_bears_the_deadline_and_its_own_reason() -> None:
    life = run(RESPONSE, created(0))

    breach = life.effects[-1]
    assert (breach.at, breach.due_at, breach.reason, breach.elapsed) == (4 * HOUR, 4 * HOUR, Reason.TARGET_REACHED, 4 * HOUR)


def test_the_worker_wakes_at_the_deadline_and_not_after_it() -> None:
    life = Life(RESPONSE).event(created(0))

    assert life.steps[-1].wake_at == 4 * HOUR
    assert life.wake(4 * HOUR).lines("breached") == ["breached @4h"]


def test_a_new_target_at_the_deadline_comes_too_late() -> None:
    life = run(RESOLUTION, created(0), changed(4 * HOUR, priority="p2"))

    assert life.lines("breached", "retargeted") == ["breached @4h"]


def test_a_new_target_that_is_used_up_at_that_instant_is_breached() -> None:
    life = run(RESOLUTION, created(0, "p2"), changed(4 * HOUR, priority="p1"), changed(4 * HOUR, status="solved"))

    assert life.lines("breached", "met", "met_late") == ["breached @4h", "met_late @4h"]


def test_a_warning_one_microsecond_before_the_deadline_is_given() -> None:
    policies = policy_set(strict(commitment("resolution", share(50), p1="0.000002s", p2="8h")))

    life = run(policies, created(0))

    assert [(effect.kind, effect.at) for effect in life.effects[1:]] == [("commitment.warned", 1), ("commitment.breached", 2)]


def test_an_answer_that_arrives_late_takes_the_breach_back_unless_it_was_given_at_the_deadline() -> None:
    in_time, too_late = Life(RESPONSE).event(created(0)).wake(5 * HOUR), Life(RESPONSE).event(created(0)).wake(5 * HOUR)

    in_time.event(commented(4 * HOUR - 1), now=6 * HOUR)
    too_late.event(commented(4 * HOUR), now=6 * HOUR)

    assert in_time.lines("breach_retracted", "met") == ["breach_retracted @4h", f"met @{(4 * HOUR - 1) / HOUR:g}h"]
    assert too_late.lines("breach_retracted", "met_late") == ["met_late @4h"]
    assert [life.steps[-1].outcome for life in (in_time, too_late)] == [Outcome.LATE, Outcome.APPLIED]


@pytest.mark.parametrize(
    ("deployed", "emitted"), [(2 * HOUR, "breached @4h"), (4 * HOUR, "breached @4h"), (4 * HOUR + 1, "met @4h")]
)
def test_a_deployment_may_make_reached_breached_for_open_tickets(deployed: int, emitted: str) -> None:
    deployments = Deployments.fixed(policy_set(commitment("first_response"))).add(1, deployed, RESPONSE)

    life = run(deployments, created(0), commented(4 * HOUR))

    assert life.lines("breached", "met") == [emitted]


def test_what_is_reached_at_a_deployment_that_makes_it_usual_again_is_breached() -> None:
    deployments = Deployments.fixed(RESPONSE).add(1, 4 * HOUR, policy_set(commitment("first_response")))

    assert run(deployments, created(0), commented(4 * HOUR)).lines("breached", "met") == ["breached @4h"]


def test_an_explanation_states_it() -> None:
    (deadline,) = explain(RESPONSE, "T", [created(0)], 5 * HOUR + MINUTE).deadlines

    assert deadline.terms == (Term.MET_ONLY_BEFORE,)
    assert deadline.due == 4 * HOUR
