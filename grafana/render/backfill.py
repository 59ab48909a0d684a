"""A Prometheus that holds weeks which it has not seen: samples written as blocks, and what our rules make of them.

Prometheus evaluates rules as of now alone. So each rule is evaluated by a query over the whole time, and its results
are written as blocks too. A rule that reads another one is evaluated after it.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml
from prometheus_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Rule(NamedTuple):
    """A recording rule, or an alert. ``wait``: seconds for which an alert must hold before it fires."""

    name: str
    expr: str
    labels: dict[str, str]
    alert: bool
    wait: float


def rules(files: Iterable[Path], shortest: str, step: int) -> list[Rule]:
    """The rules of these files. Windows shorter than ``shortest`` become as long: they must hold more than one sample.

    ``step``: seconds between two samples.
    """
    found = []
    for file in files:
        for rule in (rule for group in yaml.safe_load(file.read_text("utf-8"))["groups"] for rule in group["rules"]):
            expr = rule["expr"]
            for window in ("5m", "15m", "30m"):
                expr = expr.replace(f"[{window}]", f"[{shortest}]")
            # What a minute counts, a step between two samples counts.
            expr = expr.replace("[1m] offset 15s", f"[{step}s]").replace("offset 75s", f"offset {step}s")
            name = rule.get("record") or rule["alert"]
            found.append(Rule(name, expr, rule.get("labels", {}), "alert" in rule, _seconds(rule.get("for", "0s"))))
    return found


def levels(found: list[Rule]) -> Iterator[list[Rule]]:
    """Rules in groups: those of a group read none of their own group, and none of a later one."""
    left = list(found)
    while left:
        recorded = [rule.name for rule in left if not rule.alert]
        ready = [rule for rule in left if not any(name in rule.expr for name in recorded if name != rule.name)]
        yield ready
        left = [rule for rule in left if rule not in ready]


def import_samples(folder: Path, text: Path) -> None:
    """Write the samples of an OpenMetrics file as blocks. Raises CalledProcessError when Prometheus' tool refuses them."""
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=8760h"]
    subprocess.run([*command, str(text), str(folder / "tsdb")], check=True, capture_output=True)  # noqa: S603  all of it is ours


def import_rules(folder: Path, found: list[Rule], start: int, end: int, step: int, flags: tuple[str, ...]) -> None:
    """Evaluate rules at each step from start to end (epoch seconds), and write what they give as blocks."""
    for number, group in enumerate(levels(found)):
        text = folder / f"rules-{number}.om"
        with serving(folder, *flags) as prometheus, text.open("w", encoding="utf-8") as out:
            for rule in group:
                answer = prometheus.over_time(rule.expr, start, end, step)
                for line in _alert(rule, answer, step) if rule.alert else _recorded(rule, answer):
                    out.write(line)
            out.write("# EOF\n")
        import_samples(folder, text)


def _recorded(rule: Rule, answer: Any) -> Iterator[str]:
    for series in answer:
        name = _name(rule.name, {**series["metric"], **rule.labels})
        for at, value in series["values"]:
            yield f"{name} {value} {at}\n"


def _alert(rule: Rule, answer: Any, step: int) -> Iterator[str]:
    """``ALERTS`` and ``ALERTS_FOR_STATE``, which is since when the alert's condition holds."""
    for series in answer:
        labels = {**series["metric"], **rule.labels, "alertname": rule.name}
        firing, state = _name("ALERTS", {**labels, "alertstate": "firing"}), _name("ALERTS_FOR_STATE", labels)
        since = before = float("-inf")
        for at, _ in series["values"]:
            since = since if at - before <= step else at
            before = at
            yield f"{state} {since} {at}\n"
            if at - since >= rule.wait:
                yield f"{firing} 1 {at}\n"


def _name(name: str, labels: dict[str, str]) -> str:
    written = ",".join(f'{label}="{value}"' for label, value in labels.items() if label != "__name__")
    return f"{name}{{{written}}}"


def _seconds(text: str) -> float:
    return float(text[:-1]) * _UNITS[text[-1]]
