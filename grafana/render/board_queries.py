"""The queries of a dashboard with its variables put in, and what a Prometheus answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from prometheus_server import Prometheus

DASHBOARDS: Final = Path(__file__).parents[1] / "dashboards"
_CHOSEN: Final = {"docs": "docs"}
"""Variables that have no "all"."""


def boards() -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in sorted(DASHBOARDS.glob("*.json"))]


def answers(prometheus: Prometheus, target: dict[str, Any], step: float) -> list[dict[str, Any]]:
    """The series that Prometheus gives for a query of a panel, as of the end of the run or over all of it."""
    expression = _chosen(target["expr"], prometheus, step)
    if target["instant"]:
        found = prometheus.ask("query", query=expression, time=prometheus.ended)
    else:
        found = prometheus.ask("query_range", query=expression, start=prometheus.began, end=prometheus.ended, step=step)
    result: list[dict[str, Any]] = found["result"]
    return result


def exemplars(prometheus: Prometheus, target: dict[str, Any], step: float) -> list[dict[str, Any]]:
    """The exemplars that belong to a query."""
    expression = _chosen(target["expr"], prometheus, step)
    found = prometheus.ask("query_exemplars", query=expression, start=prometheus.began, end=prometheus.ended)
    return [one for series in found for one in series["exemplars"]]


def _chosen(expression: str, prometheus: Prometheus, step: float) -> str:
    # Grafana's own: a step and a scrape, and never less than four scrapes.
    window = max(4, round(step) + 1)
    text = expression.replace("$__rate_interval", f"{window}s")
    text = text.replace("$__interval", f"{max(1, round(step))}s")
    text = text.replace("$__range", f"{max(4, round(prometheus.ended - prometheus.began))}s")
    return re.sub(r"\$(\w+)", lambda variable: _CHOSEN.get(variable[1], ".*"), text)
