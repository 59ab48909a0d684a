"""The shapes of panel the dashboards are made of, as the JSON that Grafana reads. A panel has a width, in columns of 24.

Longer than 250 lines because it is one function for each shape, with many options each.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

Json = dict[str, Any]
Steps = list[tuple[str, float | None]]
"""A colour, and the value from which on it is used; the first from ``None``."""

SOURCE: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}
RED, ORANGE, YELLOW, GREEN, BLUE, GREY = "red", "orange", "yellow", "green", "blue", "text"
PLAIN: Final[Steps] = [(GREY, None)]


class Query(NamedTuple):
    """What is asked, and what the answer is called. ``exemplars``: also which tickets it was."""

    expr: str
    legend: str
    exemplars: bool = False


class Column(NamedTuple):
    """A column of a table: a query as of now. ``steps`` colour its cells."""

    name: str
    expr: str
    unit: str = "short"
    steps: Steps | None = None
    decimals: int = 0


def panel(kind: str, width: int, title: str, description: str, unit: str, queries: list[Json], **more: Any) -> Json:
    """A panel of any kind."""
    defaults = {"unit": unit, **more.pop("defaults", {})}
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "gridPos": {"w": width},
        "fieldConfig": {"defaults": defaults, "overrides": more.pop("overrides", [])},
        "targets": [{"refId": chr(ord("A") + number), "datasource": SOURCE, **query} for number, query in enumerate(queries)],
        **more,
    }


def graph(
    width: int,
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    bars: bool = False,
    stacked: bool = False,
    steps: Steps | None = None,
    colours: dict[str, str] | None = None,
    dashed: str = "",
    logarithmic: bool = False,
    floor: float | None = 0,
    roof: float | None = None,
    leads: tuple[str, ...] = (),
    runbook: str = "",
) -> Json:
    """A graph over time: lines, or bars for things that are counted per interval.

    The axis reaches from ``floor`` at least to ``roof``. ``steps`` draws lines at these values, ``dashed`` is a pattern of
    names whose lines are limits. A click leads to the dashboard *Right now* with the labels ``leads``, or to the ``runbook``
    of an alert.
    """
    custom: Json = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 60 if bars else 10,
        "lineWidth": 1,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none"},
    }
    defaults: Json = {"custom": custom, "links": _leads(leads, "__field.labels")}
    if runbook:
        defaults["links"].append({"title": f"Runbook: {runbook}", "url": f"${{docs}}/runbooks/{runbook}.md"})
    if logarithmic:
        custom["scaleDistribution"] = {"type": "log", "log": 2}
    elif floor is not None:
        defaults["min"] = floor
    if roof is not None:
        custom["axisSoftMax"] = roof
    if steps:
        custom["thresholdsStyle"] = {"mode": "line"}
        defaults["thresholds"] = _thresholds(steps)
    overrides = [_fixed(name, colour) for name, colour in (colours or {}).items()]
    if dashed:
        properties = [
            {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}},
            {"id": "custom.fillOpacity", "value": 0},
            {"id": "color", "value": {"mode": "fixed", "fixedColor": GREY}},
        ]
        overrides.append({"matcher": {"id": "byRegexp", "options": dashed}, "properties": properties})
    return panel(
        "timeseries",
        width,
        title,
        description,
        unit,
        [_over_time(query) for query in queries],
        defaults=defaults,
        overrides=overrides,
        options={
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    )


def stat(
    width: int,
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    steps: Steps = PLAIN,
    colours: dict[str, str] | None = None,
    steps_of: dict[str, Steps] | None = None,
    words: dict[str, str] | None = None,
    decimals: int = 0,
) -> Json:
    """The latest value, large, over its course; of the whole selected time the value alone. ``words``: {"-1": "none"}.

    ``steps_of``: the steps of queries that have others, by legend.
    """
    whole = any("$__range" in query.expr for query in queries)
    overrides = [_fixed(name, colour) for name, colour in (colours or {}).items()]
    for name, others in (steps_of or {}).items():
        properties = [{"id": "thresholds", "value": _thresholds(others)}]
        overrides.append({"matcher": {"id": "byName", "options": name}, "properties": properties})
    return panel(
        "stat",
        width,
        title,
        description,
        unit,
        [_as_of_now(query) if whole else _over_time(query) for query in queries],
        defaults={
            "thresholds": _thresholds(steps),
            "color": {"mode": "thresholds"},
            "decimals": decimals,
            "mappings": [_mapping({value: {"text": word} for value, word in (words or {}).items()})] if words else [],
        },
        overrides=overrides,
        options={
            "colorMode": "value",
            "graphMode": "none" if whole else "area",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            # Without a name the value is in the middle, on top of its course; with a name it is above it.
            "textMode": "value" if whole and len(queries) == 1 else "value_and_name",
        },
    )


def gauges(
    width: int,
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    steps: Steps,
    high: float | None = None,
    colours: dict[str, str] | None = None,
    name_placement: str = "left",
) -> Json:
    """A bar for each value as of now. ``high``: the value of a full bar; ``name_placement``: ``left`` or ``top`` of it."""
    defaults: Json = {"thresholds": _thresholds(steps), "color": {"mode": "thresholds"}, "min": 0}
    if high is not None:
        defaults["max"] = high
    return panel(
        "bargauge",
        width,
        title,
        description,
        unit,
        [_as_of_now(query) for query in queries],
        defaults=defaults,
        overrides=[_fixed(name, colour) for name, colour in (colours or {}).items()],
        options={
            "displayMode": "basic",
            "orientation": "horizontal",
            "showUnfilled": True,
            "namePlacement": name_placement,
            # A size for names beside their bars is not reckoned with: they would be cut off.
            "text": {"valueSize": 16} | ({"titleSize": 13} if name_placement == "top" else {}),
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    )


def table(
    width: int,
    title: str,
    description: str,
    *columns: Column,
    keys: dict[str, int],
    sort: tuple[str, bool],
    leads: tuple[str, ...] = (),
    links: dict[str, tuple[str, str]] | None = None,
) -> Json:
    """A row for each set of labels, a column for each query; sorted by a column, descending or not.

    ``keys``: the labels, and how many pixels wide their columns are. ``links``: column to (title, address) of what a click
    opens.
    """
    values = {f"Value #{chr(ord('A') + number)}" if len(columns) > 1 else "Value": one for number, one in enumerate(columns)}
    overrides = []
    for one in columns:
        properties: list[Json] = [{"id": "unit", "value": one.unit}, {"id": "decimals", "value": one.decimals}]
        if one.steps:
            properties += [
                {"id": "custom.cellOptions", "value": {"type": "color-background", "mode": "basic"}},
                {"id": "thresholds", "value": _thresholds(one.steps)},
            ]
        overrides.append({"matcher": {"id": "byName", "options": one.name}, "properties": properties})
    for name, pixels in keys.items():
        properties = [{"id": "custom.width", "value": pixels}]
        if links and name in links:
            text, address = links[name]
            properties.append({"id": "links", "value": [{"title": text, "url": address}]})
        overrides.append({"matcher": {"id": "byName", "options": name}, "properties": properties})
    order = {name: number for number, name in enumerate((*keys, *values))}
    organised = {
        "includeByName": dict.fromkeys(order, True),
        "indexByName": order,
        "renameByName": {value: one.name for value, one in values.items()},
    }
    return panel(
        "table",
        width,
        title,
        description,
        "string",
        [_as_of_now(Query(one.expr, "__auto")) | {"format": "table"} for one in columns],
        defaults={"custom": {"align": "auto", "minWidth": 50}, "links": _leads(leads, "__data.fields")},
        overrides=overrides,
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "organize", "options": organised},
            {"id": "sortBy", "options": {"sort": [{"field": sort[0], "desc": sort[1]}]}},
        ],
        options={"cellHeight": "sm", "showHeader": True},
    )


def timeline(width: int, title: str, description: str, query: Query, values: dict[str, tuple[str, str]]) -> Json:
    """A band for each series, coloured by its state. ``values``: value to (word, colour)."""
    states = {value: {"text": word, "color": colour, "index": int(value)} for value, (word, colour) in values.items()}
    return panel(
        "state-timeline",
        width,
        title,
        description,
        "short",
        [_over_time(query)],
        defaults={
            "mappings": [_mapping(states)],
            "color": {"mode": "thresholds"},
            "custom": {"fillOpacity": 70, "lineWidth": 0},
        },
        options={
            "showValue": "auto",
            "mergeValues": True,
            "rowHeight": 0.8,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        },
    )


def _over_time(query: Query) -> Json:
    # Windows of whole numbers follow each other, and none is shorter than the minute of the rules.
    more = {"interval": "1m"} if "[$__interval]" in query.expr else {}
    return more | {
        "expr": query.expr,
        "legendFormat": query.legend,
        "exemplar": query.exemplars,
        "instant": False,
        "range": True,
    }


def _as_of_now(query: Query) -> Json:
    return {"expr": query.expr, "legendFormat": query.legend, "instant": True, "range": False}


def _leads(labels: tuple[str, ...], where: str) -> list[Json]:
    asked = "&".join(f"var-{label}=${{{where}.{label}}}" for label in labels)
    return [{"title": "Right now", "url": f"/d/sla-right-now?{asked}&${{__url_time_range}}"}] if labels else []


def _fixed(name: str, colour: str) -> Json:
    properties = [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}]
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def _mapping(values: Json) -> Json:
    return {"type": "value", "options": values}


def _thresholds(steps: Steps) -> Json:
    """Colours from values on."""
    return {"mode": "absolute", "steps": [{"color": name, "value": value} for name, value in steps]}
