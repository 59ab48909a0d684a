"""Customers as a label: only those that are named, and only on the metrics of commitments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stream.observe.metrics.catalogue import CATALOGUE, DECIDED, LEFT, OPEN, REOPENED, RETRACTIONS, STARTED, TIME
from stream.observe.metrics.labels import LabelBounds
from stream.observe.metrics.registry import Metrics
from stream.sla.effects import Kind
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.ticket.state import OpenCommitment, State
from tests.unit.observe.observed import P1, effect, gold, policy_set, silver

if TYPE_CHECKING:
    from stream.sla.effects import Effect

NOW = 1_700_000_000_000_000
MINUTE = 60_000_000


def counting(*customers: str, label_sets: int = 2000) -> Metrics:
    """Metrics with these customers as values of the label."""
    bounds = LabelBounds(customers=frozenset(customers), label_sets=label_sets)
    return Metrics(policy_set(gold(), silver()), now=lambda: NOW, bounds=bounds)


def about(kind: Kind, customer: str | list[str], **changes: Any) -> Effect:
    """An effect about a p1 ticket of a customer."""
    return effect(kind, fields={"priority": "p1", "customer": customer}, **changes)


def values(metrics: Metrics, name: str, **labels: str) -> dict[str, float]:
    """The samples with this name and these labels that are not 0, by customer."""
    samples = [s for family in metrics.registry.collect() for s in family.samples if s.name == name and s.value]
    return {s.labels["customer"]: s.value for s in samples if labels.items() <= s.labels.items()}


def test_the_customers_that_are_named_are_counted_by_name_and_all_others_together() -> None:
    metrics = counting("acme", "globex")
    fields = ("acme", "acme", "globex", "initech", "hooli", ["acme", "hooli"], "")

    metrics.effects([about(Kind.BREACHED, customer) for customer in fields], clock_is_wall=True)

    counts = values(metrics, "sla_commitments_total", **P1, outcome="breached")
    assert counts == {"acme": 2, "globex": 1, "other": 3, "": 1}


def test_without_named_customers_no_metric_has_the_label() -> None:
    metrics = counting()
    metrics.effects([about(Kind.BREACHED, "acme")], clock_is_wall=True)
    metrics.open_commitments.begin(0).add([OpenCommitment("first_response", "gold", "p1", "", "acme", "running", NOW, 0)])

    assert not [s for family in metrics.registry.collect() for s in family.samples if "customer" in s.labels]


def test_the_catalogue_states_which_metrics_have_the_label() -> None:
    metrics = counting("acme")
    metrics.effects([about(kind, "acme", page=True) for kind in Kind], clock_is_wall=True)
    metrics.open_commitments.begin(0).add([OpenCommitment("first_response", "gold", "p1", "", "acme", "running", NOW, 0)])

    exposed = {f.name for f in metrics.registry.collect() for s in f.samples if s.labels.get("customer") == "acme"}
    stated = [spec for spec in CATALOGUE if "customer" in spec.labels]
    assert stated == [STARTED, DECIDED, RETRACTIONS, REOPENED, TIME, OPEN, LEFT]
    assert exposed == {spec.name.removesuffix("_total") for spec in stated}


def test_the_time_used_is_by_customer() -> None:
    metrics = counting("acme")

    metrics.effects([about(Kind.MET, "acme"), about(Kind.MET, "initech")], clock_is_wall=True)

    assert values(metrics, "sla_commitment_time_seconds_sum", priority="p1") == {"acme": 3600, "other": 3600}


def test_open_commitments_and_the_time_that_is_left_are_by_customer() -> None:
    metrics = counting("acme")
    due = NOW + 10 * MINUTE
    for customer in ("acme", "initech", "hooli"):
        metrics.open_commitments.begin(len(customer)).add(
            [OpenCommitment("first_response", "gold", "p1", "", customer, "running", due, NOW)]
        )

    assert values(metrics, "sla_open_commitments", state="running") == {"acme": 1, "other": 2}
    assert values(metrics, "sla_open_commitment_remaining_seconds_bucket", le="900.0") == {"acme": 1, "other": 2}


def test_an_open_commitment_moves_with_its_ticket_to_another_customer() -> None:
    metrics = counting("acme", "globex")
    engine = Engine(policy_set(gold(), silver()))
    counts = metrics.open_commitments.begin(0)
    state: State | None = None
    for number, customer in enumerate(("acme", "globex", "initech", "hooli")):
        event = Event(
            at=NOW + number,
            id=str(number),
            type="ticket.changed" if state else "ticket.created",
            source="desk",
            actor="customer",
            fields={"priority": "p1", "customer": customer},
        )
        before, state = state, engine.apply(state, "desk/1", event, NOW + number).state
        counts.change(before, state)
        name = customer if customer in ("acme", "globex") else "other"
        assert values(metrics, "sla_open_commitments", commitment="first_response", state="running") == {name: 1}
    counts.change(state, None)
    assert values(metrics, "sla_open_commitments", state="running") == {}


@pytest.mark.parametrize("label_sets", [100, 300])
def test_customers_do_not_raise_the_bound_of_label_sets(label_sets: int) -> None:
    metrics = counting("acme", "globex", label_sets=label_sets)

    for number in range(2_000):
        fields = {"priority": "p1", "team": f"team-{number % 70}", "customer": ("acme", "globex", "x")[number % 3]}
        metrics.effects([effect(Kind.STARTED, fields=fields, commitment=f"c{number % 9}")], clock_is_wall=True)

    exposed = [s for f in metrics.registry.collect() for s in f.samples if s.name == "sla_commitments_started_total"]
    assert sum(one.value for one in exposed) == 2_000
    assert len(exposed) <= label_sets + 11
    assert {one.labels["customer"] for one in exposed} == {"acme", "globex", "other", ""}
