"""The receiver of each alert according to amtool, and the alerts that inhibit others."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.observability.contract import ROOT, rules

CONFIG = ROOT / "prometheus/alertmanager.yml"
ROUTES = yaml.safe_load((ROOT / "prometheus/tests/routes.yaml").read_text("utf-8"))
ALERTS = {(alert["alert"], alert["labels"]["severity"]) for alert in rules("sla-alerts.yml")}


def amtool(*arguments: str) -> None:
    tool = shutil.which("amtool")
    assert tool, "amtool is missing: install the Debian package prometheus-alertmanager"
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def inhibitions() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(CONFIG.read_text("utf-8"))["inhibit_rules"]
    return found


def named(matchers: list[str]) -> set[str]:
    """The alerts that matchers on ``alertname`` name."""
    (matcher,) = matchers
    parts = re.fullmatch(r'(alertname) (=~?) "(.*)"', matcher)
    assert parts, matcher
    _, _, pattern = parts.groups()
    return {name for name, _ in ALERTS if re.fullmatch(pattern, name)}


@pytest.mark.promtool
def test_amtool_accepts_the_configuration() -> None:
    amtool("check-config", str(CONFIG))


@pytest.mark.promtool
@pytest.mark.parametrize("row", ROUTES, ids=lambda row: row["alert"])
def test_an_alert_reaches_the_receiver_of_the_table(row: dict[str, str]) -> None:
    amtool(
        "config",
        "routes",
        "test",
        f"--config.file={CONFIG}",
        f"--verify.receivers={row['receiver']}",
        f"alertname={row['alert']}",
        f"severity={row['severity']}",
        "cluster=breachwatch",
    )


def test_the_table_has_every_alert() -> None:
    assert {(row["alert"], row["severity"]) for row in ROUTES} == ALERTS


def test_an_inhibition_compares_a_label_that_every_alert_has() -> None:
    # Where a label is missing on both sides Alertmanager calls it equal.
    config = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text("utf-8"))
    assert "cluster" in config["global"]["external_labels"]
    assert all("cluster" in rule["equal"] for rule in inhibitions())


def test_every_name_in_an_inhibition_is_an_alert() -> None:
    for rule in inhibitions():
        assert named(rule["source_matchers"])
        assert named(rule["target_matchers"])


def test_nothing_inhibits_the_watchdog_or_the_alert_for_a_detector_that_is_down() -> None:
    silenced = set().union(*(named(rule["target_matchers"]) for rule in inhibitions()))

    assert not silenced & {"SLAWatchdog", "SLADetectorDown"}


def test_a_detector_that_is_down_inhibits_every_alert_that_depends_on_its_data() -> None:
    silenced = {
        name
        for rule in inhibitions()
        if "SLADetectorDown" in named(rule["source_matchers"])
        for name in named(rule["target_matchers"])
    }

    of_other_processes = {name for name, _ in ALERTS if name.startswith(("SLAGateway", "SLANotify", "SLAWriteback"))}
    assert silenced == {name for name, _ in ALERTS} - {"SLAWatchdog", "SLADetectorDown"} - of_other_processes
