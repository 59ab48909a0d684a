"""Which fields of an event are kept: those that policies read, and those that the operator names."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from stream.sla.engine import Engine
from stream.sla.events import TICKET_FIELDS
from stream.sla.policy.conditions import FieldIn
from stream.sla.policy.timeline import Deployments, Origin
from stream.sla.step import Outcome
from tests.unit.sla.given import HOUR, Life, changed, commitment, created, policy_set, run

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet

PLAIN = policy_set(commitment("resolution", p1="4h"))
PRINTERS = policy_set(replace(commitment("resolution", p1="2h"), when=FieldIn("product", frozenset({"printer"}))))


def fields(life: Life) -> dict[str, str | list[str]]:
    assert life.state is not None
    return {name: value for name, value in life.state.head.fields.items() if name[0] != "@"}


def test_a_field_that_nobody_names_is_in_no_state_and_in_no_effect() -> None:
    life = run(PLAIN, created(0, priority="p1", subject="my password", requester="Ada"), changed(HOUR, phone="555"))
    assert fields(life) == {"status": "new", "priority": "p1"}
    assert life.state is not None
    assert [event.fields for event in life.state.history] == [{"priority": "p1"}, {}]
    assert life.effects
    assert {name for effect in life.effects for name in effect.fields} == {"status", "priority"}


def test_the_fields_of_the_contract_are_kept_unless_the_operator_names_others() -> None:
    ticket = created(0, **{name: "open" if name == "status" else "x" for name in TICKET_FIELDS}, subject="s")
    assert fields(run(PLAIN, ticket)).keys() == {*TICKET_FIELDS}
    assert fields(run(PLAIN, ticket, keep=frozenset({"team"}))).keys() == {"status", "priority", "team"}
    assert fields(run(PLAIN, ticket, keep=frozenset())).keys() == {"status", "priority"}
    assert fields(run(PLAIN, ticket, keep=None)).keys() == {*TICKET_FIELDS, "subject"}


def test_a_field_that_a_policy_reads_is_kept_whatever_the_operator_names() -> None:
    assert fields(run(PRINTERS, created(0, product="printer"), keep=frozenset()))["product"] == "printer"


def test_a_date_that_starts_a_clock_is_kept() -> None:
    resolution = commitment("resolution", p1="4h")
    policies = policy_set(replace(resolution, metric=replace(resolution.metric, name="delivery", starts_at="planned")))
    assert fields(run(policies, created(0, priority="p1", planned="1970-01-02"), keep=frozenset()))["planned"] == "1970-01-02"


@pytest.mark.parametrize("keep", [None, frozenset[str](), frozenset({"product", "team"})])
def test_what_is_kept_changes_no_deadline(keep: frozenset[str] | None) -> None:
    events = [created(0, priority="p1", team="a", product="printer"), changed(HOUR, product="scanner", team="b", note="x")]
    usual = run(PRINTERS, *events)
    life = run(PRINTERS, *events, keep=keep)
    assert life.lines()
    assert [(one.id, one.kind, one.at, one.due_at) for one in life.effects] == [
        (one.id, one.kind, one.at, one.due_at) for one in usual.effects
    ]


def test_a_repetition_that_differs_in_a_dropped_field_alone_is_a_repetition() -> None:
    life = Life(PLAIN).event(created(0, subject="a")).event(created(0, subject="b"))
    assert life.steps[-1].outcome is Outcome.DUPLICATE


def deployed(at: int, policies: PolicySet, origin: Origin = Origin()) -> Deployments:  # noqa: B008  it is never changed
    return Deployments.fixed(PLAIN).add(1, at, policies, origin)


def test_a_deployment_keeps_the_fields_that_it_reads_from_its_instant_on() -> None:
    before = run(deployed(2 * HOUR, PRINTERS), created(HOUR, priority="p1", product="printer"))
    assert "product" not in fields(before)
    assert before.lines("breached") == []
    after = run(
        deployed(2 * HOUR, PRINTERS), created(HOUR, priority="p1", product="printer"), changed(2 * HOUR, product="printer")
    )
    assert fields(after)["product"] == "printer"
    assert after.lines("breached") == ["breached @3h"]


def test_the_first_deployment_keeps_them_since_ever_and_later_ones_go_on() -> None:
    deployments = Deployments.fixed(PRINTERS).add(1, 2 * HOUR, PLAIN)
    assert (
        fields(run(deployments, created(HOUR, product="printer"), changed(3 * HOUR, product="scanner")))["product"] == "scanner"
    )


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_no_order_of_arrival_changes_what_is_kept(order: tuple[int, ...]) -> None:
    events = [
        created(HOUR, priority="p1", product="printer"),
        changed(2 * HOUR - 1, product="scanner"),
        changed(5 * HOUR, product="plotter"),
    ]
    engine = Engine(deployed(2 * HOUR, PRINTERS))
    state = None
    for number in order:
        state = engine.apply(state, "T", events[number], 9 * HOUR).state
    assert state is not None
    assert [event.fields for event in state.history] == [{"priority": "p1"}, {}, {"product": "plotter"}]


def test_an_event_from_before_a_deployment_is_kept_alike_before_and_after_the_deployment_is_known() -> None:
    event = created(HOUR, priority="p1", product="printer")
    known = Life(deployed(2 * HOUR, PRINTERS)).event(event)
    later = Life(PLAIN).event(event)
    later.engine.deployments = deployed(2 * HOUR, PRINTERS)
    assert later.wake(9 * HOUR).state == known.wake(9 * HOUR).state


def test_a_deployment_that_rejudges_keeps_them_from_when_it_was_appended() -> None:
    deployments = deployed(HOUR, PRINTERS, Origin(appended=5 * HOUR, rejudges=True))
    assert "product" not in fields(run(deployments, created(2 * HOUR, product="printer")))
    assert fields(run(deployments, created(2 * HOUR), changed(5 * HOUR, product="printer")))["product"] == "printer"
