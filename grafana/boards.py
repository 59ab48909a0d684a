"""A dashboard around its panels: rows, variables, annotations and links.

A row has a height, a panel a width, and the places follow from these. Ids are counted from 1 in the order of the dashboard,
so that a link to a panel keeps its meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from panels import BLUE, GREEN, RED, SOURCE

if TYPE_CHECKING:
    from panels import Json


INSTALLATION: Final = 'job=~"$job", installation=~"$installation"'
"""The matchers of the installation that is shown."""


class Row(NamedTuple):
    """Panels side by side. With a title, a line to fold them away comes first."""

    title: str
    height: int
    panels: list[Json]


def dashboard(uid: str, title: str, description: str, since: str, variables: list[Json], rows: list[Row]) -> Json:
    """A dashboard nobody edits in the browser: the file is the truth. ``since``: how far back it looks at first."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["sla"],
        "editable": False,
        "graphTooltip": 1,
        "schemaVersion": 39,
        "version": 1,
        "timezone": "browser",
        "time": {"from": f"now-{since}", "to": "now"},
        "refresh": "1m",
        "annotations": {
            "list": [
                {
                    "name": "Alerts",
                    "datasource": SOURCE,
                    "enable": True,
                    "iconColor": RED,
                    "expr": 'ALERTS{alertname=~"SLA.*", alertname!="SLAWatchdog", alertstate="firing"}',
                    "titleFormat": "{{alertname}}",
                    "textFormat": "{{policy}} {{commitment}} {{team}}",
                },
                {
                    "name": "Starts of workers",
                    "datasource": SOURCE,
                    "enable": True,
                    "iconColor": BLUE,
                    "expr": "process_start_time_seconds * on (job, instance) group_right () sla_detector_build_info * 1000",
                    "useValueForTime": "on",
                    "titleFormat": "{{instance}} started",
                    "textFormat": "breachwatch {{version}}",
                },
                {
                    "name": "Deployments",
                    "datasource": SOURCE,
                    "enable": True,
                    "iconColor": GREEN,
                    "expr": "max by (deployment, kind) (sla_deployment_timestamp_seconds) * 1000",
                    "useValueForTime": "on",
                    "titleFormat": "Deployment {{deployment}}",
                    "textFormat": "{{kind}} of policies",
                },
            ]
        },
        "links": [
            {"type": "dashboards", "title": "SLA", "tags": ["sla"], "asDropdown": False, "keepTime": True, "includeVars": True}
        ],
        "templating": {"list": [_source(), *variables]},
        "panels": _placed(rows),
    }


def installation_variables() -> list[Json]:
    """Choose one installation: numbers of two are never summed. Where no target has the label, `installation` has no value."""
    return [
        label_variable("job", "Job", "sla_detector_build_info", one=True),
        label_variable("installation", "Installation", "sla_detector_build_info", one=True),
    ]


def label_variable(name: str, title: str, metric: str, *, one: bool = False) -> Json:
    """Choose among the values a label of a metric has: all of them at first, or always ``one``."""
    variable: Json = {
        "name": name,
        "label": title,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": f"label_values({metric}, {name})", "refId": name},
        "definition": f"label_values({metric}, {name})",
        "refresh": 2,
        "sort": 1,
        "multi": not one,
        "includeAll": not one,
    }
    return variable if one else {**variable, "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}


def text_variable(name: str, title: str, value: str) -> Json:
    """A text that panels use, such as an address."""
    chosen = {"text": value, "value": value}
    return {
        "name": name,
        "label": title,
        "type": "textbox",
        "query": value,
        "current": chosen,
        "options": [{**chosen, "selected": True}],
    }


def _source() -> Json:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1}


def _placed(rows: list[Row]) -> list[Json]:
    placed: list[Json] = []
    y = 0
    for title, height, panels in rows:
        if title:
            placed.append(
                {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}}
            )
            y += 1
        x = 0
        for one in panels:
            width = one["gridPos"]["w"]
            placed.append({**one, "gridPos": {"x": x, "y": y, "w": width, "h": height}})
            x += width
        y += height
    return [{"id": number, **one} for number, one in enumerate(placed, start=1)]
