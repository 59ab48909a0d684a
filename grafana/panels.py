"""The few shapes of panel the dashboards are made of, as the JSON that Grafana reads.

Every panel asks the one data source variable, has a title, a description and a unit, and is given its place in columns
of 24. Ids are counted from 1 in the order of the dashboard, so that a link to a panel keeps its meaning.
"""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

SOURCE: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}
RED: Final = "red"
GREEN: Final = "green"
ORANGE: Final = "orange"
GREY: Final = "text"


def target(expression: str, legend: str, *, exemplars: bool = False) -> Json:
    """A query over the range of the dashboard."""
    return {
        "datasource": SOURCE,
        "expr": expression,
        "legendFormat": legend,
        "exemplar": exemplars,
        "instant": False,
        "range": True,
    }


def column(expression: str) -> Json:
    """A query as of now, for a table."""
    return {
        "datasource": SOURCE,
        "expr": expression,
        "format": "table",
        "legendFormat": "__auto",
        "instant": True,
        "range": False,
    }


def panel(kind: str, title: str, description: str, unit: str, place: tuple[int, int, int, int], **more: Any) -> Json:
    """A panel of any kind at ``place`` (x, y, width, height). ``targets`` get their letters here."""
    targets = [{**query, "refId": chr(ord("A") + index)} for index, query in enumerate(more.pop("targets"))]
    x, y, width, height = place
    defaults = {"unit": unit, **more.pop("defaults", {})}
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": width, "h": height},
        "fieldConfig": {"defaults": defaults, "overrides": more.pop("overrides", [])},
        "targets": targets,
        **more,
    }


def lines(
    title: str,
    description: str,
    unit: str,
    place: tuple[int, int, int, int],
    targets: list[Json],
    *,
    bars: bool = False,
    stacked: bool = False,
    steps: list[tuple[str, float | None]] | None = None,
) -> Json:
    """A graph over time: lines, or bars for things that are counted per interval."""
    custom: Json = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 60 if bars else 10,
        "lineWidth": 1,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none"},
    }
    defaults: Json = {"custom": custom, "min": 0}
    if steps:
        custom["thresholdsStyle"] = {"mode": "line"}
        defaults["thresholds"] = thresholds(steps)
    return panel(
        "timeseries",
        title,
        description,
        unit,
        place,
        targets=targets,
        defaults=defaults,
        options={
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    )


def number(
    title: str,
    description: str,
    unit: str,
    place: tuple[int, int, int, int],
    targets: list[Json],
    steps: list[tuple[str, float | None]],
    **more: Any,
) -> Json:
    """The latest value, large; coloured by ``steps`` (colour, from this value on; the first from ``None``)."""
    return panel(
        "stat",
        title,
        description,
        unit,
        place,
        targets=targets,
        defaults={"thresholds": thresholds(steps), "color": {"mode": "thresholds"}},
        options={
            "colorMode": "value",
            "graphMode": "area",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "value_and_name",
        },
        **more,
    )


def colour(name: str, fixed: str) -> Json:
    """Always show the series of this name in this colour."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": fixed}}],
    }


def thresholds(steps: list[tuple[str, float | None]]) -> Json:
    """Colours from values on."""
    return {"mode": "absolute", "steps": [{"color": name, "value": value} for name, value in steps]}


def dashboard(uid: str, title: str, description: str, panels: list[Json], variables: list[Json]) -> Json:
    """A dashboard nobody edits in the browser: the file is the truth."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["sla"],
        "editable": False,
        "graphTooltip": 1,
        "schemaVersion": 39,
        "version": 1,
        "timezone": "utc",
        "time": {"from": "now-24h", "to": "now"},
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
                    "textFormat": "{{policy}} {{commitment}}",
                }
            ]
        },
        "links": [
            {"type": "dashboards", "title": "SLA", "tags": ["sla"], "asDropdown": True, "keepTime": True},
        ],
        "templating": {"list": variables},
        "panels": [{"id": number, **one} for number, one in enumerate(panels, start=1)],
    }


def source_variable() -> Json:
    """The one data source of a dashboard."""
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1}


def label_variable(name: str, label: str, metric: str) -> Json:
    """Choose among the values a label of a metric has; all of them at first."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": f"label_values({metric}, {name})", "refId": name},
        "definition": f"label_values({metric}, {name})",
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }
