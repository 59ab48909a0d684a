"""The notifications of a running Alertmanager with the shipped routes and inhibitions."""

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
"""Patterns of alerts that inhibit others, and of the inhibited ones."""
PATIENCE = 60.0


class Alertmanager(NamedTuple):
    url: str
    notifications: list[Notification]
    """The notifications of its receivers, in order."""

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

    def notified(self) -> set[tuple[str, str, str]]:
        """(receiver, status, alert) of everything that was sent."""
        return {(each.receiver, each.status, each.alert) for each in self.notifications}


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    notifications: list[Notification] = []
    with Webhook(notifications.append) as webhook, alertmanager_running(tmp_path, webhook.url) as child:
        yield Alertmanager(child.url, notifications)


def until(true: Callable[[], object], seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, seen()
        time.sleep(0.05)


def test_every_alert_notifies_its_receiver_and_no_other(alertmanager: Alertmanager) -> None:
    # Each in a cluster of its own: none silences another.
    for number, row in enumerate(ROUTES):
        alertmanager.push(row["alert"], cluster=f"cluster-{number}", policy="a-policy", commitment="first_response")

    expected = {(row["receiver"], "firing", row["alert"]) for row in ROUTES}
    until(lambda: alertmanager.notified() >= expected, alertmanager.notified)
    assert alertmanager.notified() == expected
    assert all(each.summary == f"{each.alert}." for each in alertmanager.notifications)


def test_while_no_worker_is_reachable_alerts_that_depend_on_its_data_are_inhibited(alertmanager: Alertmanager) -> None:
    targets = [silenced for silencing, silenced in INHIBITIONS if silencing.fullmatch("SLADetectorDown")]
    rest = {name for name in SEVERITIES for silenced in targets if silenced.fullmatch(name)}
    assert "SLADetectorStalled" in rest
    alertmanager.push("SLADetectorDown")
    until(lambda: ("on-call", "firing", "SLADetectorDown") in alertmanager.notified(), alertmanager.notified)

    alertmanager.push(*rest, policy="a-policy", commitment="first_response")
    until(lambda: alertmanager.suppressed() == rest, alertmanager.suppressed)
    # The same alerts from elsewhere go the same ways: when these have arrived, the suppressed ones would have been.
    elsewhere = {name for name in rest if not any(silencing.fullmatch(name) for silencing, _ in INHIBITIONS)}
    alertmanager.push(*elsewhere, cluster="another")

    def from_elsewhere() -> set[str]:
        return {each.alert for each in alertmanager.notifications if each.labels["cluster"] == "another"}

    until(lambda: from_elsewhere() == elsewhere, from_elsewhere)
    assert {each.alert for each in alertmanager.notifications if each.labels["cluster"] == "breachwatch"} == {"SLADetectorDown"}


def test_when_a_worker_is_back_the_alert_is_resolved_and_inhibited_alerts_are_sent(alertmanager: Alertmanager) -> None:
    alertmanager.push("SLADetectorDown")
    alertmanager.push("SLAEscalationTopLevel", policy="a-policy")
    until(lambda: ("on-call", "firing", "SLADetectorDown") in alertmanager.notified(), alertmanager.notified)
    assert ("support-manager", "firing", "SLAEscalationTopLevel") not in alertmanager.notified()

    alertmanager.push("SLADetectorDown", resolved=True)

    back = {("on-call", "resolved", "SLADetectorDown"), ("support-manager", "firing", "SLAEscalationTopLevel")}
    until(lambda: alertmanager.notified() >= back, alertmanager.notified)


def test_a_fast_burn_inhibits_the_slow_one_of_the_same_commitment_only(alertmanager: Alertmanager) -> None:
    alertmanager.push("SLAErrorBudgetBurnFast", policy="a-policy", commitment="first_response")
    until(alertmanager.notified, alertmanager.notified)
    alertmanager.push("SLAErrorBudgetBurnSlow", policy="a-policy", commitment="first_response")
    alertmanager.push("SLAErrorBudgetBurnSlow", policy="a-policy", commitment="resolution")

    until(lambda: ("team", "firing", "SLAErrorBudgetBurnSlow") in alertmanager.notified(), alertmanager.notified)
    slow = [each.labels["commitment"] for each in alertmanager.notifications if each.alert == "SLAErrorBudgetBurnSlow"]
    assert slow == ["resolution"]
