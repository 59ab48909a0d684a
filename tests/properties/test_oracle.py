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
from tests.oracle.changing import Change
from tests.oracle.hours import OpenMinutes
from tests.oracle.oracle import oracle
from tests.oracle.promised import Expected
from tests.oracle.scenes import CALENDARS, SLOW, Scene, reopened, scene, smallest
from tests.properties.edits import Deploy, Deployed, World, deployed
from tests.properties.invariants import play
from tests.unit.sla.given import HOUR, MINUTE, changed, commitment, created, ladder, share

if TYPE_CHECKING:
    from stream.sla.effects import Effect
    from stream.sla.ticket.state import State


def engine(scene: Scene) -> set[Expected]:
    """What the engine emits when it gets the events in order and time then passes."""
    engine = Engine(scene.policy_set())
    state: State | None = None
    emitted: list[Effect] = []
    for event in sorted(scene.events, key=lambda event: event.key):
        step = engine.apply(state, "T", event, event.at)
        state = step.state
        emitted += step.effects
    assert state is not None
    emitted += engine.wake(state, scene.until).effects
    return {
        Expected(
            e.ladder or e.commitment, e.kind, e.level, e.cycle, e.at, e.due_at, e.escalation_kind or "", e.assign_to, e.page
        )
        for e in emitted
    }


def agree(scene: Scene) -> bool:
    return engine(scene) == oracle(scene.policies, SLOW, scene.events, scene.until)


@settings(max_examples=examples(80), deadline=None, phases=[Phase.explicit, Phase.generate], database=None)
@given(st.integers(0, 2**32))
def test_the_engine_emits_what_the_oracle_emits(seed: int) -> None:
    found = scene(seed)
    if not agree(found):
        found = smallest(found, lambda one: not agree(one))
    assert engine(found) == oracle(found.policies, SLOW, found.events, found.until), found


@settings(max_examples=examples(20), deadline=None, phases=[Phase.explicit, Phase.generate], database=None)
@given(st.integers(0, 2**32))
def test_the_engine_emits_what_the_oracle_emits_where_a_priority_changes_around_pauses(seed: int) -> None:
    found = reopened(seed)

    assert engine(found) == oracle(found.policies, SLOW, found.events, found.until), found


HOURS: dict[str, OpenMinutes] = {}


def hours_of(world: World) -> dict[str, OpenMinutes]:
    """The slow calendars of a world; equal ones are one, because each remembers its days."""
    return {name: HOURS.setdefault(repr(data), OpenMinutes(data)) for name, data in world.calendars.items()}


def changes(one: Deployed) -> list[Change]:
    """The timeline of a scene: what holds from an instant takes the place of what held from it on."""
    found: list[Change] = []
    for deploy in one.deploys:
        found = [change for change in found if change.minute * MINUTE < deploy.holds_from]
        found.append(Change(deploy.holds_from // MINUTE, deploy.world.policies, hours_of(deploy.world)))
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
    expected = oracle(one.first.policies, hours_of(one.first), one.events, one.until, changes(one))

    assert engine_with_deployments(one) == expected, one


def test_a_ladder_whose_new_name_is_taken_stays_on_its_row() -> None:
    """So it begins anew where it applies again on the row that continues that one."""
    agent_work = commitment("agent_work", p1="4h")
    other = replace(agent_work.metric, pauses=FieldIn("status", frozenset({"pending"})))
    on_other_row = replace(agent_work, metric=replace(other, name=metric_name("agent_work", other)))
    first = ladder(("team", share(50)), on="agent_work")
    second = replace(first, name="second", was="ladder")

    def world(*, moved: bool, renamed: bool) -> World:
        commitments, ladders = (on_other_row if moved else agent_work,), (second if renamed else first,)
        policy = Policy("p", 1, Choice.fixed("24x7"), commitments=commitments, ladders=ladders)
        return World((policy,), CALENDARS)

    sets = [
        (HOUR, world(moved=False, renamed=True)),
        (HOUR + 30 * MINUTE, world(moved=False, renamed=False)),
        (3 * HOUR, world(moved=True, renamed=True)),
        (5 * HOUR, world(moved=True, renamed=False)),
    ]
    deploys = [Deploy(at, at, each) for at, each in sets]
    one = Deployed(world(moved=False, renamed=False), deploys, [created(0), changed(MINUTE, status="open")], 9 * HOUR)
    expected = oracle(one.first.policies, hours_of(one.first), one.events, one.until, changes(one))

    assert engine_with_deployments(one) == expected
    assert [found.kind for found in expected if found.name == "ladder" and found.at == 5 * HOUR] == ["escalation.raised"]
