"""PromQL taken apart: which series an expression reads, with which labels, and over which ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import promql_parser as promql

if TYPE_CHECKING:
    from collections.abc import Iterator

GRAFANA = {
    "$__rate_interval": "5m",
    "$__range": "1h",
    "$__interval": "1m",
    **dict.fromkeys(("$policy", "$team", "$customer", "$priority", "$commitment", "$job", "$instance", "$installation"), "x"),
}
"""What Grafana puts in for the variables of our dashboards."""


class Read(NamedTuple):
    """One selector inside an expression."""

    series: str
    matches: dict[str, str]
    """The labels it matches on, and what they are compared with."""
    function: str
    """The function right around it, such as ``increase``; empty when there is none."""
    seconds: float
    """The range in brackets; 0 when there is none."""


def reads(expression: str) -> list[Read]:
    """Every selector of an expression. Raises ValueError if it is not PromQL."""
    return list(_reads(promql.parse(_plain(expression)), ""))


def aggregated(expression: str) -> set[str]:
    """The labels named in ``by (...)``."""
    return set(_modifiers(promql.parse(_plain(expression))))


def groupings(expression: str) -> list[set[str]]:
    """The labels of every ``by (...)`` and ``on (...)``."""
    return list(_groupings(promql.parse(_plain(expression))))


def _groupings(node: Any) -> Iterator[set[str]]:
    if isinstance(node, promql.AggregateExpr):
        yield set() if node.modifier is None else set(node.modifier.labels)
    elif isinstance(node, promql.BinaryExpr) and node.modifier is not None and node.modifier.matching is not None:
        yield set(node.modifier.matching.labels)
    for part in _parts(node):
        yield from _groupings(part)


def _plain(expression: str) -> str:
    for variable, value in GRAFANA.items():
        expression = expression.replace(variable, value)
    return expression


def _parts(node: Any) -> list[Any]:
    match node:
        case promql.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql.Call():
            return list(node.args)
        case promql.AggregateExpr():
            return [node.expr] + ([node.param] if node.param is not None else [])
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return [node.expr]
        case _:
            return []


def _reads(node: Any, function: str) -> Iterator[Read]:
    match node:
        case promql.VectorSelector():
            yield _read(node, function, 0)
        case promql.MatrixSelector():
            yield _read(node.vector_selector, function, node.range.total_seconds())
        case _:
            name = node.func.name if isinstance(node, promql.Call) else ""
            for part in _parts(node):
                yield from _reads(part, name)


def _read(selector: Any, function: str, seconds: float) -> Read:
    return Read(selector.name, {m.name: m.value for m in selector.matchers.matchers}, function, seconds)


def _modifiers(node: Any) -> Iterator[str]:
    if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
        yield from node.modifier.labels
    for part in _parts(node):
        yield from _modifiers(part)
