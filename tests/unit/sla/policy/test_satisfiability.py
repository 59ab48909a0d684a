from typing import Any

import pytest

from stream.language.conditions import read_condition
from stream.sla.policy.conditions import All, AnyOf, Condition, FieldIn, Not
from stream.sla.policy.metric import BUILT_IN, Metric
from stream.sla.policy.satisfiability import few_tickets, possible, tickets


def condition(data: Any) -> Condition:
    result = read_condition(data, lambda where, message: pytest.fail(f"{where}: {message}"))
    assert result is not None
    return result


@pytest.mark.parametrize(
    "data",
    [
        "always",
        {"status": ["open", "new"], "not": {"status": "open"}},
        {"contract": "gold", "tags": ["a"], "all": [{"tags": ["b"]}]},
        {"event": "comment.added", "public": True, "not": {"waiting": True}},
        {"event": "comment.added", "actor": "none"},
        {"changed": ["team"], "team": "", "not": {"changed": "status"}},
        {"not": {"priority": ["p1", "p2"]}},
        {"event": "ticket.merged"},
    ],
)
def test_what_some_ticket_can_fulfil_is_possible(data: Any) -> None:
    assert possible(condition(data))


@pytest.mark.parametrize(
    "data",
    [
        "never",
        {"all": [{"status": "open"}, {"status": "new"}]},
        {"not": {"status": ["new", "open", "pending", "on_hold", "solved", "closed"]}},
        {"event": "ticket.created", "public": True},
        {"event": "comment.added", "changed": "status"},
        {"all": [{"event": "comment.added"}, {"event": "ticket.merged"}]},
        {"event": "comment.added", "actor": "agent", "public": True, "answered": False},
        {"event": "comment.added", "actor": "customer", "public": True, "waiting": False},
        {"event": "dependency.started", "dependency": False},
        {"event": "resolution.accepted", "accepted": False},
    ],
)
def test_what_no_ticket_can_fulfil_is_impossible(data: Any) -> None:
    assert not possible(condition(data))


def test_tickets_have_each_named_value_another_one_and_none() -> None:
    assert [ticket["contract"] for ticket in tickets([FieldIn("contract", frozenset({"gold"}))])] == ["", "gold", "any other"]


def test_only_tickets_in_scope_are_made() -> None:
    scope = tuple(FieldIn(f"f{n}", frozenset({"x"})) for n in range(30))
    assert few_tickets([], scope) == [{f"f{n}": "x" for n in range(30)}]
    assert not possible(All((*scope, Not(AnyOf(scope)))))


def test_where_there_are_too_many_tickets_nothing_is_claimed() -> None:
    fields = tuple(FieldIn(f"f{n}", frozenset({"x"})) for n in range(20))
    assert few_tickets(fields, ()) == []
    assert possible(All((AnyOf(fields), Not(AnyOf(fields)))))


@pytest.mark.parametrize("metric", BUILT_IN.values(), ids=lambda metric: metric.name)
def test_every_built_in_metric_can_start_and_stop(metric: Metric) -> None:
    assert possible(metric.starts)
    assert possible(metric.stops)
