"""Every query of every dashboard, on a real Prometheus that has scraped a real worker."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.observability.contract import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.promtool, pytest.mark.broker, pytest.mark.xdist_group("dashboards")]

sys.path.insert(0, str(ROOT / "grafana/render"))
board_queries = importlib.import_module("board_queries")
scraped = importlib.import_module("scraped")

TARGETS: list[tuple[str, dict[str, Any]]] = [
    (f"{board['title']}: {panel['title']} {target['refId']}", target)
    for board in board_queries.boards()
    for panel in board["panels"]
    for target in panel.get("targets", ())
]
QUERIES = [pytest.param(target, id=name) for name, target in TARGETS]
VARIABLES = sorted(
    {
        variable["definition"]
        for board in board_queries.boards()
        for variable in board["templating"]["list"]
        if variable["type"] == "query"
    }
)

ANNOTATIONS = sorted(
    {
        annotation["expr"]
        for board in board_queries.boards()
        for annotation in board["annotations"]["list"]
        if "ALERTS" not in annotation["expr"]
    }
)


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Any]:
    """It has seen two weeks of the demo's desk."""
    with scraped.scraped_run(seconds=20) as running:
        yield running


@pytest.mark.parametrize("target", QUERIES)
def test_a_query_of_a_panel_has_an_answer(prometheus: Any, target: dict[str, Any]) -> None:
    found = board_queries.answers(prometheus, target, step=1)

    assert found, target["expr"]


@pytest.mark.parametrize("definition", VARIABLES)
def test_a_variable_has_values(prometheus: Any, definition: str) -> None:
    metric, label = definition.removeprefix("label_values(").removesuffix(")").split(", ")

    assert prometheus.ask(f"label/{label}/values", **{"match[]": metric})


@pytest.mark.parametrize("expression", ANNOTATIONS)
def test_an_annotation_has_an_instant_of_the_run(prometheus: Any, expression: str) -> None:
    found = prometheus.ask("query", query=expression, time=prometheus.ended)["result"]

    assert found
    assert all(prometheus.began - 600 < float(one["value"][1]) / 1e3 <= prometheus.ended for one in found)


def test_the_breaches_on_the_overview_name_tickets(prometheus: Any) -> None:
    (target,) = (t for name, t in TARGETS if name == "SLA overview: Breaches B" and t.get("exemplar"))

    tickets = {one["labels"]["ticket"] for one in board_queries.exemplars(prometheus, target, step=1)}
    assert tickets
    assert all(ticket.startswith("desk/") for ticket in tickets)


def test_customers_that_are_named_are_counted_by_name_and_the_others_together(prometheus: Any) -> None:
    found = prometheus.ask("query", query="sum by (customer) (sla_commitments_started_total) > 0", time=prometheus.ended)[
        "result"
    ]

    assert {one["metric"].get("customer", "") for one in found} == {"acme", "globex", "other"}


def test_no_rule_of_ours_fails_to_evaluate(prometheus: Any) -> None:
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]

    assert rules
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}


class Counted:
    """What the panels of the overview answer to the question how many commitments were met and breached."""

    def __init__(self, prometheus: Any) -> None:
        self._prometheus = prometheus
        # A whole number of steps, so that bars and numbers are asked about the same time: all of the run.
        prometheus.began = prometheus.ended - 5 * ((prometheus.ended - prometheus.began) // 5 + 1)

    def number(self, panel: str) -> float:
        (series,) = board_queries.answers(self._prometheus, _target(panel), step=5)
        return float(series["value"][1])

    def rows(self, panel: str) -> float:
        return sum(float(series["value"][1]) for series in board_queries.answers(self._prometheus, _target(panel), step=5))

    def bars(self, panel: str) -> float:
        found = board_queries.answers(self._prometheus, _target(panel), step=5)
        # The first bar is of the time before the one that is shown.
        return sum(float(value) for series in found for at, value in series["values"] if at > self._prometheus.began)


def _target(panel: str) -> dict[str, Any]:
    return next(target for name, target in TARGETS if name == f"SLA overview: {panel}")


def test_panels_that_are_asked_the_same_give_one_whole_number(prometheus: Any) -> None:
    counted = Counted(prometheus)
    raw = prometheus.number('sum(sla_commitments_total{outcome="breached"}) - sum(sla_retractions_total{kind="breach"})')

    breached = counted.number("Met and breached B")
    assert breached == raw > 0
    assert counted.bars("Breaches A") == counted.bars("Demand C") == breached
    assert counted.rows("Compliance by policy, priority and team C") == breached
    assert counted.rows("Compliance by customer B") == counted.bars("Breaches by customer A") == breached
    met = counted.number("Met and breached A")
    assert counted.rows("Compliance by customer C") == met
    assert met == counted.bars("Demand B") == counted.rows("Compliance by policy, priority and team D") > 0
    assert counted.number("Compliance A") == pytest.approx(met / (met + breached), abs=1e-12)
    assert (
        counted.number("Reopenings A")
        == counted.bars("Reopened and taken back A")
        == prometheus.number("sum(sla_commitments_reopened_total)")
    )
