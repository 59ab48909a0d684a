"""Who really hears of an alert, and who does not: a running Alertmanager with the routes and inhibitions that ship."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.request import Request, urlopen

import pytest
import yaml

from stream.demo.stack import alertmanager_running
from stream.demo.webhook import Notification, Webhook
from tests.observability.contract import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.promtool

ROUTES = yaml.safe_load((ROOT / "prometheus/tests/routes.yaml").read_text("utf-8"))
SEVERITIES = {row["alert"]: row["severity"] for row in ROUTES}
INHIBITIONS = [
    (re.compile(rule["source_matchers"][0].split('"')[1]), re.compile(rule["target_matchers"][0].split('"')[1]))
    for rule in yaml.safe_load((ROOT / "prometheus/alertmanager.yml").read_text("utf-8"))["inhibit_rules"]
]
"""Patterns of alerts that silence, and of those they silence."""
PATIENCE = 60.0


class Alertmanager(NamedTuple):
    url: str
    told: list[Notification]
    """What its receivers heard, in order."""

    def push(self, *alerts: str, resolved: bool = False, **labels: str) -> None:
        now = datetime.now(UTC)
        body = [
            {
                "labels": {"alertname": name, "severity": SEVERITIES[name], "cluster": "breachwatch", **labels},
                "annotations": {"summary": f"{name}."},
                "startsAt": (now - timedelta(minutes=1)).isoformat(),
                "endsAt": (now if resolved else now + timedelta(hours=1)).isoformat(),
            }
            for name in alerts
        ]
        request = Request(f"{self.url}/api/v2/alerts", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=10):
            pass

    def suppressed(self) -> set[str]:
        with urlopen(f"{self.url}/api/v2/alerts", timeout=10) as answer:
            alerts: list[dict[str, Any]] = json.load(answer)
        return {alert["labels"]["alertname"] for alert in alerts if alert["status"]["inhibitedBy"]}

    def heard(self) -> set[tuple[str, str, str]]:
        """(receiver, status, alert) of everything that was sent."""
        return {(each.receiver, each.status, each.alert) for each in self.told}


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    told: list[Notification] = []
    with Webhook(told.append) as webhook, alertmanager_running(tmp_path, webhook.url) as child:
        yield Alertmanager(child.url, told)


def until(true: Callable[[], object], seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, seen()
        time.sleep(0.05)


def test_every_alert_is_heard_by_its_receiver_and_by_no_other(alertmanager: Alertmanager) -> None:
    # Each in a cluster of its own: none silences another.
    for number, row in enumerate(ROUTES):
        alertmanager.push(row["alert"], cluster=f"cluster-{number}", policy="a-policy", commitment="first_response")

    expected = {(row["receiver"], "firing", row["alert"]) for row in ROUTES}
    until(lambda: alertmanager.heard() >= expected, alertmanager.heard)
    assert alertmanager.heard() == expected
    assert all(each.summary == f"{each.alert}." for each in alertmanager.told)


def test_while_no_worker_can_be_reached_nobody_hears_what_rests_on_its_data(alertmanager: Alertmanager) -> None:
    targets = [silenced for silencing, silenced in INHIBITIONS if silencing.fullmatch("SLADetectorDown")]
    rest = {name for name in SEVERITIES for silenced in targets if silenced.fullmatch(name)}
    assert "SLADetectorStalled" in rest
    alertmanager.push("SLADetectorDown")
    until(lambda: ("on-call", "firing", "SLADetectorDown") in alertmanager.heard(), alertmanager.heard)

    alertmanager.push(*rest, policy="a-policy", commitment="first_response")
    until(lambda: alertmanager.suppressed() == rest, alertmanager.suppressed)
    # The same alerts from elsewhere go the same ways: when these were heard, the suppressed ones would have been.
    elsewhere = {name for name in rest if not any(silencing.fullmatch(name) for silencing, _ in INHIBITIONS)}
    alertmanager.push(*elsewhere, cluster="another")
    until(lambda: {e.alert for e in alertmanager.told if e.labels["cluster"] == "another"} == elsewhere, alertmanager.heard)
    assert {each.alert for each in alertmanager.told if each.labels["cluster"] == "breachwatch"} == {"SLADetectorDown"}


def test_when_a_worker_is_back_that_is_said_and_what_was_silent_is_heard(alertmanager: Alertmanager) -> None:
    alertmanager.push("SLADetectorDown")
    alertmanager.push("SLAEscalationTopLevel", policy="a-policy")
    until(lambda: ("on-call", "firing", "SLADetectorDown") in alertmanager.heard(), alertmanager.heard)
    assert ("support-manager", "firing", "SLAEscalationTopLevel") not in alertmanager.heard()

    alertmanager.push("SLADetectorDown", resolved=True)

    back = {("on-call", "resolved", "SLADetectorDown"), ("support-manager", "firing", "SLAEscalationTopLevel")}
    until(lambda: alertmanager.heard() >= back, alertmanager.heard)


def test_a_fast_burn_silences_the_slow_one_of_the_same_commitment_only(alertmanager: Alertmanager) -> None:
    alertmanager.push("SLAErrorBudgetBurnFast", policy="a-policy", commitment="first_response")
    until(alertmanager.heard, alertmanager.heard)
    alertmanager.push("SLAErrorBudgetBurnSlow", policy="a-policy", commitment="first_response")
    alertmanager.push("SLAErrorBudgetBurnSlow", policy="a-policy", commitment="resolution")

    until(lambda: ("team", "firing", "SLAErrorBudgetBurnSlow") in alertmanager.heard(), alertmanager.heard)
    slow = [each.labels["commitment"] for each in alertmanager.told if each.alert == "SLAErrorBudgetBurnSlow"]
    assert slow == ["resolution"]
