"""The rules, checked by promtool and against the catalogue."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.observability.contract import INSTALLATION, RECORDS, ROOT, kept, problems, rules
from tests.observability.promql import groupings

PROMETHEUS = ROOT / "prometheus"
ALERTS = rules("sla-alerts.yml")
TESTS = sorted((PROMETHEUS / "tests").glob("*.test.yml"))
NAMES = sorted({alert["alert"] for alert in ALERTS})


def promtool(*arguments: object) -> None:
    tool = shutil.which("promtool")
    assert tool, "promtool is missing: install the Debian package prometheus"
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=PROMETHEUS)
    assert done.returncode == 0, done.stdout + done.stderr


def stated() -> list[dict[str, Any]]:
    """The expectations of the promtool tests: alert, and whether it fires."""
    suites = [suite for path in TESTS for suite in yaml.safe_load(path.read_text("utf-8"))["tests"]]
    return [case for suite in suites for case in suite.get("alert_rule_test", ())]


@pytest.mark.promtool
def test_promtool_accepts_the_rules() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *sorted((PROMETHEUS / "rules").glob("*.yml")))


@pytest.mark.promtool
def test_promtool_accepts_the_configuration_and_finds_the_rule_files_it_names() -> None:
    promtool("check", "config", "--lint=all", "--lint-fatal", "prometheus.yml")


@pytest.mark.promtool
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_the_alerts_fire_when_they_should_and_only_then(path: Any) -> None:
    promtool("test", "rules", path)


@pytest.mark.parametrize("alert", NAMES)
def test_every_alert_is_seen_firing(alert: str) -> None:
    assert any(case["alertname"] == alert and case.get("exp_alerts") for case in stated())


@pytest.mark.parametrize("alert", [name for name in NAMES if name != "SLAWatchdog"])
def test_every_alert_is_seen_silent_before_and_after(alert: str) -> None:
    assert sum(case["alertname"] == alert and not case.get("exp_alerts") for case in stated()) >= 2


@pytest.mark.parametrize("rule", [*ALERTS, *rules("sla-records.yml")], ids=lambda r: r.get("alert") or r["record"])
def test_a_rule_queries_only_exported_or_recorded_series(rule: dict[str, Any]) -> None:
    assert problems(rule["expr"]) == []


@pytest.mark.parametrize("rule", [*ALERTS, *rules("sla-records.yml")], ids=lambda r: r.get("alert") or r["record"])
def test_a_rule_keeps_installations_apart(rule: dict[str, Any]) -> None:
    # `up` has no more than its job and its instance in common with what the program exports.
    for labels in groupings(rule["expr"]):
        assert labels >= INSTALLATION or labels == {"cluster", "job", "instance"}, labels


def test_no_rule_names_a_job() -> None:
    assert [rule["expr"] for rule in [*ALERTS, *rules("sla-records.yml")] if 'job="' in rule["expr"]] == []


def test_alertmanager_groups_and_inhibits_by_installation() -> None:
    config = yaml.safe_load((PROMETHEUS / "alertmanager.yml").read_text("utf-8"))

    grouped = [config["route"], *(route for route in config["route"]["routes"] if "group_by" in route)]
    assert all(set(route["group_by"]) >= INSTALLATION for route in grouped)
    assert all(set(rule["equal"]) >= INSTALLATION for rule in config["inhibit_rules"])


def test_the_name_of_a_recording_rule_has_its_labels() -> None:
    labels = "instance|job(_reason|_source)?|policy(_ladder_level|_commitment(_stage|_priority_team_customer(_kind)?)?)?"
    for name in RECORDS:
        assert re.fullmatch(rf"({labels}):sla_[a-z_]+:[a-z0-9_]+", name), name


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_has_a_severity_texts_and_working_links(alert: dict[str, Any]) -> None:
    notes = alert["annotations"]
    assert notes.keys() == {"summary", "description", "runbook_url", "dashboard_url"}
    assert notes["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"
    uid, _, query = notes["dashboard_url"].removeprefix("/d/").partition("?")
    board = json.loads((ROOT / "grafana/dashboards" / f"{uid}.json").read_text("utf-8"))
    assert {name.partition("=")[0] for name in query.split("&") if name} <= {
        f"var-{variable['name']}" for variable in board["templating"]["list"]
    }
    values = query.split("{{")[1:]
    assert all(value.partition("}}")[0].rstrip().endswith("| urlquery") for value in values), "a team may be named R&D"
    assert alert["labels"]["severity"] in ("critical", "warning", "info", "none")
    # A value in a label makes a new alert of every new value, and `for` begins again.
    assert "$value" not in str(alert["labels"])
    assert "$" not in notes["summary"]
    # What a description names, the expression must keep.
    shown = set(re.findall(r"\$labels\.(\w+)", str(notes)))
    assert shown <= kept(alert["expr"]), shown


@pytest.mark.parametrize("alert", NAMES)
def test_every_alert_has_a_runbook_with_its_meaning_the_steps_and_the_people_to_inform(alert: str) -> None:
    text = (ROOT / "docs/runbooks" / f"{alert}.md").read_text("utf-8")

    assert text.startswith(f"# {alert}\n")
    for part in ("**What it means.**", "**Do.**", "**Tell.**"):
        assert part in text


@pytest.mark.parametrize("alert", NAMES)
def test_a_runbook_names_existing_panels(alert: str) -> None:
    text = (ROOT / "docs/runbooks" / f"{alert}.md").read_text("utf-8")
    boards = [json.loads(path.read_text("utf-8")) for path in (ROOT / "grafana/dashboards").glob("*.json")]
    titles = {board["title"] for board in boards} | {panel["title"] for board in boards for panel in board["panels"]}

    named = {re.sub(r"\s+", " ", name) for name in re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", text)}
    assert named <= titles


def test_the_guide_to_monitoring_lists_every_alert_with_its_severity() -> None:
    text = (ROOT / "docs/guides/monitor.md").read_text("utf-8")

    listed = set(re.findall(r"\| \[(\w+)\]\(\.\./runbooks/\1\.md\) \| (\w+) \|", text))
    assert listed == {(alert["alert"], alert["labels"]["severity"]) for alert in ALERTS}


def test_every_runbook_belongs_to_an_alert() -> None:
    assert sorted(path.stem for path in (ROOT / "docs/runbooks").glob("*.md")) == NAMES
