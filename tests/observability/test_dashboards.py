"""The dashboards: current, complete, and asking only for what there is."""

from __future__ import annotations

import importlib
import json
import sys
from itertools import combinations
from typing import Any

import pytest
import yaml
from contract import METRICS, RECORDS, ROOT, problems

GRAFANA = ROOT / "grafana"
DASHBOARDS = {path.name: json.loads(path.read_text("utf-8")) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}
PANELS = [pytest.param(panel, id=panel["title"]) for board in DASHBOARDS.values() for panel in board["panels"]]
RANGES = ("[$__rate_interval]", "[$__range]")


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that writes the dashboards."""
    monkeypatch.syspath_prepend(str(GRAFANA))
    for name in ("build", "panels"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("build")


def test_the_dashboards_are_current(build: Any):
    texts = {path.name: text for path, text in build.texts().items()}

    committed = {path.name: path.read_text("utf-8") for path in (GRAFANA / "dashboards").iterdir()}
    assert committed == texts, "write them anew: python grafana/build.py"


def test_each_dashboard_has_a_uid_and_a_title_of_its_own_and_is_not_edited_in_the_browser():
    boards = DASHBOARDS.values()
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == len(DASHBOARDS) > 0
    for name, board in DASHBOARDS.items():
        assert name == f"{board['uid']}.json"
        assert board["editable"] is False
        assert board["timezone"] == "utc"
        assert "sla" in board["tags"]


def test_a_dashboard_has_one_data_source_and_it_is_a_variable():
    for board in DASHBOARDS.values():
        (source,) = (v for v in board["templating"]["list"] if v["type"] == "datasource")
        assert (source["name"], source["label"]) == ("datasource", "Data source")


def test_a_variable_is_read_anew_when_the_time_changes_and_from_a_metric_that_has_the_label():
    for board in DASHBOARDS.values():
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                assert variable["refresh"] == 2
                metric, label = variable["definition"].removeprefix("label_values(").removesuffix(")").split(", ")
                assert label in METRICS[metric]


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    for board in DASHBOARDS.values():
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        for one, other in combinations(board["panels"], 2):
            a, b = one["gridPos"], other["gridPos"]
            apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
            apart = apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
            assert apart, (one["title"], other["title"])
            assert a["x"] + a["w"] <= 24


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]):
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in ("s", "percentunit", "short")


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_the_data_source_that_was_chosen(panel: dict[str, Any]):
    asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]

    assert asked == [{"type": "prometheus", "uid": "${datasource}"}] * len(asked)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_only_for_what_is_exported_or_recorded(panel: dict[str, Any]):
    assert panel["targets"]
    for target in panel["targets"]:
        assert problems(target["expr"]) == []
        assert target["legendFormat"]


@pytest.mark.parametrize("panel", PANELS)
def test_a_range_is_that_of_the_dashboard(panel: dict[str, Any]):
    for target in panel["targets"]:
        ranges = target["expr"].count("[")
        assert ranges == sum(target["expr"].count(each) for each in RANGES)


@pytest.mark.parametrize("panel", PANELS)
def test_the_unit_fits_the_metrics(panel: dict[str, Any]):
    unit = panel["fieldConfig"]["defaults"]["unit"]
    text = " ".join(target["expr"] for target in panel["targets"])
    assert (unit == "s") == ("_seconds" in text)
    assert (unit == "percentunit") == ("ratio" in text)


def test_the_provisioning_names_the_folder_that_compose_mounts():
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/sla.yml").read_text("utf-8"))["providers"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))

    mounts = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    assert provider["allowUiUpdates"] is False


def test_the_dashboard_shows_every_recorded_share():
    shown = " ".join(t["expr"] for board in DASHBOARDS.values() for p in board["panels"] for t in p["targets"])

    assert all(name in shown for name in RECORDS if "ratio30d" in name)
