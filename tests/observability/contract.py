"""The series that rules and dashboards may query: those of the catalogue and of the recording rules, with their labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from stream.gateway.outcome_recorder import OutcomeRecorder
from stream.observe.metrics.catalogue import CATALOGUE
from stream.observe.metrics.gateway_metrics import GATEWAY_CATALOGUE
from stream.observe.metrics.notify_catalogue import NOTIFY_CATALOGUE
from stream.observe.metrics.registry import Metrics
from stream.sla.policy.resolve import PolicySet
from stream.sla.ticket.state import OpenCommitment
from stream.writeback.api import Outcome
from stream.writeback.metrics import CATALOGUE as WRITEBACK
from tests.observability.promql import aggregated, reads

ROOT = Path(__file__).parents[2]
BY_PROMETHEUS = {
    "up": {"job", "instance"},
    "ALERTS_FOR_STATE": {"alertname", "severity", "job", "instance", "policy", "commitment", "team"},
    "ALERTS": {"alertname", "alertstate", "severity", "job", "instance", "policy", "commitment", "team"},
}
INSTALLATION = {"cluster", "job", "installation"}
"""The labels that name an installation."""
SCRAPED = INSTALLATION | {"instance", "le"}
"""Labels that Prometheus puts on what it scrapes, and that of the buckets."""


def rules(name: str) -> list[dict[str, Any]]:
    """All rules of a file, group by group."""
    text = (ROOT / "prometheus/rules" / name).read_text("utf-8")
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


RECORDS = {rule["record"]: rule["expr"] for rule in rules("sla-records.yml")}
EXPORTED = (*CATALOGUE, *GATEWAY_CATALOGUE, *NOTIFY_CATALOGUE, *WRITEBACK)
METRICS = {name: {*spec.labels} for spec in EXPORTED for name in spec.series}
COUNTERS = {name for spec in EXPORTED if spec.type in ("counter", "histogram") for name in spec.series}
_BY_THE_CLIENT = [
    (family.type, sample)
    for family in Metrics(PolicySet((), {})).registry.collect()
    for sample in family.samples
    if sample.name.startswith(("process_", "python_"))
]
METRICS |= {sample.name: {*sample.labels} for _, sample in _BY_THE_CLIENT}
COUNTERS |= {sample.name for kind, sample in _BY_THE_CLIENT if kind == "counter"}


def problems(expression: str) -> list[str]:
    """The unknown names in an expression."""
    found = []
    allowed = set(SCRAPED)
    for read in reads(expression):
        labels = _labels(read.series)
        if labels is None:
            found.append(f"nobody exports {read.series}")
            continue
        allowed |= labels
        found += [f"{read.series} has no label {label}" for label in read.matches.keys() - labels - SCRAPED]
        for label, value in read.matches.items():
            if label in FIXED and not set(value.split("|")) <= FIXED[label]:
                found.append(f"{label} of {read.series} is never {value}")
        if read.function in ("rate", "increase"):
            if read.series not in COUNTERS:
                found.append(f"{read.function}() of {read.series}, which is no counter")
            if read.seconds < 60:
                found.append(f"{read.function}() of {read.series} over less than four scrapes")
        elif read.series in COUNTERS and read.function != "last_over_time":
            found.append(f"{read.series} is a counter and shown raw")
    return found + [f"no metric in it has the label {label}" for label in aggregated(expression) - allowed]


def kept(expression: str) -> set[str]:
    """The labels that the result of an expression may have."""
    return aggregated(expression) | set().union(*(_labels(read.series) or set() for read in reads(expression)))


def _labels(series: str) -> set[str] | None:
    if series in RECORDS:
        return set(series.partition(":")[0].split("_")) | INSTALLATION
    return METRICS.get(series, BY_PROMETHEUS.get(series))


def _fixed() -> dict[str, set[str]]:
    """The values of those labels whose values are ours, from a registry that has seen one open commitment, and a gateway's."""
    metrics = Metrics(PolicySet((), {}))
    metrics.open_commitments.begin(0).add([OpenCommitment("c", "p", "p1", "", "", "running", None, 0)])
    values: dict[str, set[str]] = {}
    for family in (*metrics.registry.collect(), *OutcomeRecorder(["desk"]).metrics.registry.collect()):
        for sample in family.samples:
            for label in ("outcome", "kind", "state", "result"):
                if label in sample.labels:
                    values.setdefault(label, set()).add(sample.labels[label])
    return values


FIXED = _fixed()
FIXED["outcome"] |= set(Outcome)
