"""The dashboards are current and complete, and query only existing series."""

from __future__ import annotations

import importlib
import json
import re
import sys
from itertools import combinations
from typing import Any

import pytest
import yaml

from stream.observe.metrics.catalogue import CATALOGUE
from tests.observability.contract import METRICS, RECORDS, ROOT, kept, problems, rules
from tests.observability.promql import reads

GRAFANA = ROOT / "grafana"
DASHBOARDS = {path.name: json.loads(path.read_text("utf-8")) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}
SHOWN: list[tuple[str, dict[str, Any]]] = [
    (f"{board['title']}: {panel['title']}", panel)
    for board in DASHBOARDS.values()
    for panel in board["panels"]
    if panel["type"] != "row"
]
PANELS = [pytest.param(panel, id=name) for name, panel in SHOWN]
UNITS = {"s", "suffix: h", "percentunit", "short", "none", "bytes", "string"}
RANGES = ("[$__rate_interval]", "[$__range]", "[$__interval]")


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that writes the dashboards."""
    monkeypatch.syspath_prepend(str(GRAFANA))
    for path in GRAFANA.glob("*.py"):
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
    return importlib.import_module("build")


def test_the_dashboards_are_current(build: Any) -> None:
    texts = {path.name: text for path, text in build.texts().items()}

    committed = {path.name: path.read_text("utf-8") for path in (GRAFANA / "dashboards").iterdir()}
    assert committed == texts, "write them anew: python grafana/build.py"


def test_each_dashboard_has_a_uid_and_a_title_of_its_own_and_is_not_edited_in_the_browser() -> None:
    boards = DASHBOARDS.values()
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == len(DASHBOARDS) > 0
    for name, board in DASHBOARDS.items():
        assert name == f"{board['uid']}.json"
        assert board["editable"] is False
        assert board["timezone"] == "browser"
        assert "sla" in board["tags"]


NOT_BY_PRIORITY = "buckets times priorities would be too many series; only the time used has both"
NOT_BY_TEAM = "buckets times teams would be too many series"
NOT_BY_CUSTOMER = "only the commitments of a customer have the label: everything else would be too many series"
BY_OBJECTIVE = "an objective is that of a commitment, whatever the priority, team and customer"
BY_LADDER = "a ladder is of a policy, and its levels have no priority, team and customer: too many series"
NO_POLICY = "a worker is not of a policy"
OTHER_JOB = "these programs are jobs of their own"
OF_ALL = {"priority": NOT_BY_PRIORITY, "team": NOT_BY_TEAM, "customer": NOT_BY_CUSTOMER}
OF_A_COMMITMENT = dict.fromkeys(("priority", "team", "customer"), BY_OBJECTIVE)
NOT_BY_FILTER: dict[str, dict[str, str]] = {
    "Time used, by priority": {"team": NOT_BY_TEAM},
    "Share of the target used, 90th percentile": OF_ALL,
    "Paused share of time": OF_ALL,
    "Compliance against objective, 30 days": OF_A_COMMITMENT,
    "Error budget left, 30 days": OF_A_COMMITMENT,
    "Error budget over time": OF_A_COMMITMENT,
    "Warnings": OF_ALL | {"priority": "thresholds times label sets would be too many series"},
    "Age of open commitments": OF_ALL,
    "Escalations by level, of all commitments": dict.fromkeys(("commitment", "priority", "team", "customer"), BY_LADDER),
    "Next deadline in": dict.fromkeys(("team", "customer"), "the soonest minute is kept for each commitment"),
    "Escalations by level": dict.fromkeys(("team", "customer"), BY_LADDER),
    "State of each commitment": dict.fromkeys(("team", "customer"), BY_OBJECTIVE),
    "Alerts that fire": {
        "job": "alerts of a gateway have another job than those of workers",
        "customer": "no alert is of a customer",
    },
    "Workers": dict.fromkeys(("policy", "team", "customer"), NO_POLICY),
    **{
        title: {"job": OTHER_JOB, "instance": OTHER_JOB}
        for title in (
            "Gateway: requests",
            "Gateway: rejected payloads, unknown addresses",
            "Gateway: feeds",
            "Messages sent",
            "Messages not sent",
            "Messages waiting",
            "Written into helpdesks",
            "Waiting to be written",
        )
    },
}
"""Panels that a variable of their dashboard does not filter, and why."""


@pytest.mark.parametrize("board", DASHBOARDS.values(), ids=lambda board: board["uid"])
def test_every_filter_filters_every_panel_but_those_with_a_reason(board: dict[str, Any]) -> None:
    filters = {variable["name"] for variable in board["templating"]["list"] if variable["type"] == "query"}
    for panel in board["panels"]:
        if panel["type"] == "row":
            continue
        for target in panel["targets"]:
            used = [{label for label in filters if f"${label}" in value} for value in selectors(target["expr"])]
            ignored = filters - set.union(*used)
            assert ignored <= set(NOT_BY_FILTER.get(panel["title"], ())), (panel["title"], ignored)


def selectors(expression: str) -> list[str]:
    """The label matchers of each selector."""
    found = re.findall(r"\{([^{}]*)\}", expression)
    return found or [""]


def test_the_reasons_are_of_panels_that_there_are() -> None:
    assert NOT_BY_FILTER.keys() <= {panel["title"] for _, panel in SHOWN}


def test_a_number_is_not_drawn_on_top_of_its_course() -> None:
    for name, panel in SHOWN:
        if panel["type"] == "stat" and panel["options"]["graphMode"] != "none":
            # Without a name Grafana puts the number into the middle, and the course below is half as high as the panel.
            assert panel["options"]["textMode"] == "value_and_name", name


def test_whole_numbers_are_shown_in_full() -> None:
    for name, panel in SHOWN:
        defaults = panel["fieldConfig"]["defaults"]
        if panel["type"] == "stat" and defaults["decimals"] == 0 and "_seconds" not in panel["targets"][0]["expr"]:
            assert defaults["unit"] == "none", name  # short makes 2 K of 2412


def test_bars_of_whole_numbers_are_not_narrower_than_the_minute_that_is_counted() -> None:
    for _, panel in SHOWN:
        for target in panel["targets"]:
            assert ("[$__interval]" in target["expr"]) == (target.get("interval") == "1m"), panel["title"]


def test_a_dashboard_has_one_data_source_and_it_is_a_variable() -> None:
    for board in DASHBOARDS.values():
        (source,) = (v for v in board["templating"]["list"] if v["type"] == "datasource")
        assert (source["name"], source["label"]) == ("datasource", "Data source")


def test_a_variable_is_read_anew_when_the_time_changes_and_from_a_metric_that_has_the_label() -> None:
    for board in DASHBOARDS.values():
        for variable in board["templating"]["list"]:
            assert variable["label"]
            if variable["type"] == "query":
                assert variable["refresh"] == 2
                metric, label = variable["definition"].removeprefix("label_values(").removesuffix(")").split(", ")
                assert label in METRICS[metric] | {"job", "instance", "installation"}


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    for board in DASHBOARDS.values():
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        for one, other in combinations(board["panels"], 2):
            a, b = one["gridPos"], other["gridPos"]
            apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
            apart = apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
            assert apart, (one["title"], other["title"])
            assert a["x"] + a["w"] <= 24


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_a_description_and_a_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_queries_the_selected_data_source(panel: dict[str, Any]) -> None:
    asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]

    assert asked == [{"type": "prometheus", "uid": "${datasource}"}] * len(asked)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_queries_only_exported_or_recorded_series(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        assert problems(target["expr"]) == []
        assert target["legendFormat"]


@pytest.mark.parametrize("panel", PANELS)
def test_a_range_is_that_of_the_dashboard(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        ranges = target["expr"].count("[")
        assert ranges == sum(target["expr"].count(each) for each in RANGES)


@pytest.mark.parametrize("panel", [pytest.param(panel, id=name) for name, panel in SHOWN if panel["type"] != "table"])
def test_the_unit_fits_the_metrics(panel: dict[str, Any]) -> None:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        assert unit in measured(target["expr"]), target["expr"]


def measured(expression: str) -> set[str]:
    """The units in which an expression may be shown, by the names of what it reads."""
    series = [read.series for read in reads(expression)]
    if any(":ratio" in name or name.endswith("_ratio_bucket") for name in series):
        return {"percentunit", "short"} if "bool" in expression else {"percentunit"}
    if any(name.endswith("_seconds_bucket") for name in series):
        return {"s"} if "histogram_quantile" in expression else {"short", "none"}
    if any(name.endswith("_bytes") for name in series):
        return {"bytes"}
    if any(name.endswith(("_seconds", "_seconds_sum", "_seconds_total")) for name in series):
        # Seconds a second, and seconds by seconds, are shares.
        return {"suffix: h"} if "/ 3600" in expression else {"s", "percentunit"}
    return {"short", "percentunit"} if "/" in expression else {"short", "none"}


def test_a_link_leads_to_a_dashboard_that_has_its_variables_or_to_a_runbook_or_a_worker() -> None:
    variables = {board["uid"]: {variable["name"] for variable in board["templating"]["list"]} for board in DASHBOARDS.values()}
    for board in DASHBOARDS.values():
        for url in re.findall(r'"url": "([^"]*)"', json.dumps(board["panels"])):
            if match := re.fullmatch(r"/d/([a-z-]+)\?(.*)&\$\{__url_time_range\}", url):
                assert {one.partition("=")[0].removeprefix("var-") for one in match[2].split("&")} <= variables[match[1]]
            elif match := re.fullmatch(r"\$\{docs\}/(runbooks/\w+\.md)", url):
                assert (ROOT / "docs" / match[1]).exists()
                assert "docs" in variables[board["uid"]]
            else:
                assert url in ("${docs}/runbooks/${__value.raw}.md", "http://${__value.raw}/")


def test_the_dashboards_find_each_other_and_show_alerts_and_starts() -> None:
    for board in DASHBOARDS.values():
        (link,) = board["links"]
        assert (link["type"], link["tags"]) == ("dashboards", ["sla"])
        for annotation in board["annotations"]["list"]:
            assert [problem for problem in problems(annotation["expr"]) if "only" in problem] == []


@pytest.mark.parametrize("panel", PANELS)
def test_a_column_that_is_sorted_coloured_or_linked_is_one_of_the_table(panel: dict[str, Any]) -> None:
    if panel["type"] == "table":
        (organised,) = (step["options"] for step in panel["transformations"] if step["id"] == "organize")
        values = {name for name in organised["indexByName"] if name.startswith("Value")}
        columns = {organised["renameByName"].get(name, name) for name in organised["indexByName"]}
        (order,) = (step["options"]["sort"][0]["field"] for step in panel["transformations"] if step["id"] == "sortBy")
        assert len(values) == len(panel["targets"])
        assert {order, *(override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"])} <= columns
        for key in columns - set(organised["renameByName"].values()):
            assert all(key in kept(target["expr"]) for target in panel["targets"]) or "version" in columns, key


def test_the_provisioning_names_the_folder_that_compose_mounts() -> None:
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/sla.yml").read_text("utf-8"))["providers"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))

    mounts = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    assert provider["allowUiUpdates"] is False


def test_the_dashboards_show_every_recorded_share() -> None:
    shown = " ".join(t["expr"] for _, panel in SHOWN for t in panel["targets"])

    assert all(name in shown for name in RECORDS if "ratio30d" in name)


def test_the_panel_of_unsent_effects_is_red_from_where_their_alert_begins() -> None:
    panel = next(panel for _, panel in SHOWN if panel["title"] == "Effects unsent for")
    alert = next(rule for rule in rules("sla-alerts.yml") if rule.get("alert") == "SLAEffectsNotSent")
    red = panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]

    assert re.findall(r">\s+(\d+)\s+\)\[5m:15s\]", alert["expr"]) == [str(red["value"])]


def test_every_metric_is_on_a_dashboard_or_in_an_alert() -> None:
    used = str(DASHBOARDS) + str(RECORDS) + str(rules("sla-alerts.yml"))

    assert [spec.name for spec in CATALOGUE if spec.name not in used] == []
