"""Rules evaluated over past weeks, from which the pictures of the dashboards are drawn."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from tests.observability.contract import ROOT

sys.path.insert(0, str(ROOT / "grafana/render"))
backfill: Any = importlib.import_module("backfill")

FILES = sorted((ROOT / "prometheus/rules").glob("*.yml"))
STEP = 900


def alert(wait: float) -> Any:
    return backfill.Rule("SLAExample", "up == 0", {"severity": "warning"}, True, wait)


def lines(rule: Any, *instants: int) -> list[str]:
    answer = [{"metric": {"__name__": "up", "job": "a"}, "values": [[at, "0"] for at in instants]}]
    return list(backfill._alert(rule, answer, STEP))


def test_a_rule_is_evaluated_after_every_rule_that_it_reads() -> None:
    before: set[str] = set()
    for group in backfill.levels(backfill.rules(FILES, "1h", STEP)):
        recorded = {rule.name for rule in backfill.rules(FILES, "1h", STEP) if not rule.alert}
        for rule in group:
            assert {name for name in recorded if name in rule.expr} <= before
        before |= {rule.name for rule in group}

    assert before == {rule.name for rule in backfill.rules(FILES, "1h", STEP)}


def test_a_window_that_would_hold_one_sample_is_longer() -> None:
    exprs = [rule.expr for rule in backfill.rules(FILES, "1h", STEP)]

    assert not [expr for expr in exprs if "[5m]" in expr or "[15m]" in expr]
    assert any("[6h]" in expr for expr in exprs)


def test_an_alert_fires_once_its_condition_has_held_for_long_enough() -> None:
    fired = [line for line in lines(alert(2 * STEP), 900, 1800, 2700, 3600) if line.startswith("ALERTS{")]

    assert fired == [
        f'ALERTS{{job="a",severity="warning",alertname="SLAExample",alertstate="firing"}} 1 {at}\n' for at in (2700, 3600)
    ]


def test_an_alert_whose_condition_ceased_begins_anew() -> None:
    since = [line.rpartition("} ")[2] for line in lines(alert(STEP), 900, 1800, 4500) if line.startswith("ALERTS_FOR_STATE")]

    assert since == ["900 900\n", "900 1800\n", "4500 4500\n"]
