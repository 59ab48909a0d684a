"""The engine and the oracle emit the same for random policies, calendars and histories."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from stream.sla.engine import Engine
from stream.sla.policy.conditions import FieldIn
from stream.sla.policy.metric import metric_name
from stream.sla.policy.policy import Choice, Policy
from tests.examples import examples
from tests.oracle.deployments import Deployment
from tests.oracle.hours import OpenMinutes
from tests.oracle.oracle import oracle
from tests.oracle.scenarios import CALENDARS, SLOW, Scenario, reopened, scenario, smallest
from tests.oracle.ticket import Expected
from tests.properties.edits import Deploy, Deployed, PolicyFiles, deployed
from tests.properties.invariants import play
from tests.unit.sla.given import HOUR, MINUTE, changed, commitment, created, ladder, share

if TYPE_CHECKING:
    from stream.sla.effects import Effect
    from stream.sla.ticket.state import State


def engine(scenario: Scenario) -> set[Expected]:
    """What the engine emits when it gets the events in order and time then passes."""
    engine = Engine(scenario.policy_set())
    state: State | None = None
    emitted: list[Effect] = []
    for event in sorted(scenario.events, key=lambda event: event.key):
        step = engine.apply(state, "T", event, event.at)
        state = step.state
        emitted += step.effects
    assert state is not None
    emitted += engine.wake(state, scenario.until).effects
    return {
        Expected(
            e.ladder or e.commitment, e.kind, e.level, e.cycle, e.at, e.due_at, e.escalation_kind or "", e.assign_to, e.page
        )
        for e in emitted
    }


def agree(scenario: Scenario) -> bool:
    return engine(scenario) == oracle(scenario.policies, SLOW, scenario.events, scenario.until)


@settings(max_examples=examples(80), deadline=None, phases=[Phase.explicit, Phase.generate], database=None)
@given(st.integers(0, 2**32))
def test_the_engine_emits_what_the_oracle_emits(seed: int) -> None:
    found = scenario(seed)
    if not agree(found):
        found = smallest(found, lambda one: not agree(one))
    assert engine(found) == oracle(found.policies, SLOW, found.events, found.until), found


@settings(max_examples=examples(20), deadline=None, phases=[Phase.explicit, Phase.generate], database=None)
@given(st.integers(0, 2**32))
def test_the_engine_emits_what_the_oracle_emits_where_a_priority_changes_around_pauses(seed: int) -> None:
    found = reopened(seed)

    assert engine(found) == oracle(found.policies, SLOW, found.events, found.until), found


HOURS: dict[str, OpenMinutes] = {}


def hours_of(files: PolicyFiles) -> dict[str, OpenMinutes]:
    """The slow calendars of the policy files; equal ones are one, because each remembers its days."""
    return {name: HOURS.setdefault(repr(data), OpenMinutes(data)) for name, data in files.calendars.items()}


def deployments_of(one: Deployed) -> list[Deployment]:
    """The timeline of a scenario: what holds from an instant takes the place of what held from it on."""
    found: list[Deployment] = []
    for deploy in one.deploys:
        found = [deployment for deployment in found if deployment.minute * MINUTE < deploy.holds_from]
        found.append(Deployment(deploy.holds_from // MINUTE, deploy.files.policies, hours_of(deploy.files)))
    return found


def engine_with_deployments(one: Deployed) -> set[Expected]:
    """What the engine emits in the order of time, with every deployment known from the beginning."""
    _, _, emitted = play(one, check=False)
    return {
        Expected(
            e.ladder or e.commitment, e.kind, e.level, e.cycle, e.at, e.due_at, e.escalation_kind or "", e.assign_to, e.page
        )
        for e in emitted
    }


@settings(max_examples=examples(20), deadline=None, phases=[Phase.explicit, Phase.generate], database=None)
@given(st.integers(0, 2**32))
def test_the_engine_emits_what_the_oracle_emits_while_policies_change(seed: int) -> None:
    one = deployed(seed)
    expected = oracle(one.first.policies, hours_of(one.first), one.events, one.until, deployments_of(one))

    assert engine_with_deployments(one) == expected, one


def test_a_ladder_whose_new_name_is_taken_stays_on_its_metric() -> None:
    """So it begins anew where it applies again on the metric that continues that one."""
    agent_work = commitment("agent_work", p1="4h")
    other = replace(agent_work.metric, pauses=FieldIn("status", frozenset({"pending"})))
    on_other_metric = replace(agent_work, metric=replace(other, name=metric_name("agent_work", other)))
    first = ladder(("team", share(50)), on="agent_work")
    second = replace(first, name="second", was="ladder")

    def policy_files(*, moved: bool, renamed: bool) -> PolicyFiles:
        commitments, ladders = (on_other_metric if moved else agent_work,), (second if renamed else first,)
        policy = Policy("p", 1, Choice.fixed("24x7"), commitments=commitments, ladders=ladders)
        return PolicyFiles((policy,), CALENDARS)

    sets = [
        (HOUR, policy_files(moved=False, renamed=True)),
        (HOUR + 30 * MINUTE, policy_files(moved=False, renamed=False)),
        (3 * HOUR, policy_files(moved=True, renamed=True)),
        (5 * HOUR, policy_files(moved=True, renamed=False)),
    ]
    deploys = [Deploy(at, at, each) for at, each in sets]
    one = Deployed(policy_files(moved=False, renamed=False), deploys, [created(0), changed(MINUTE, status="open")], 9 * HOUR)
    expected = oracle(one.first.policies, hours_of(one.first), one.events, one.until, deployments_of(one))

    assert engine_with_deployments(one) == expected
    assert [found.kind for found in expected if found.name == "ladder" and found.at == 5 * HOUR] == ["escalation.raised"]
