"""Kinds of panels, as dictionaries. Where they stand is decided by the layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from dashboards import look, rest

Panel = dict[str, Any]
Target = dict[str, Any]

SHORTEST_BAR = "2m"
"""Several scrapes have to lie within what one bar stands for."""


def stat(
    title: str,
    description: str,
    *targets: Target,
    unit: str = "short",
    thresholds: dict[str, Any] = look.PLAIN,
    mappings: Sequence[dict[str, Any]] = (),
    links: Sequence[dict[str, Any]] = (),
    absent: str = "",
) -> Panel:
    """One figure, large. `absent` is shown where there is none."""
    defaults = {
        "unit": unit,
        "thresholds": thresholds,
        "color": {"mode": "thresholds"},
        "mappings": list(mappings),
        "links": list(links),
        **({"noValue": absent} if absent else {}),
    }
    options = {
        "colorMode": "background_solid" if thresholds is not look.PLAIN else "value",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "auto",
        "wideLayout": True,
    }
    return _panel("stat", title, description, targets, defaults, options)


def lines(
    title: str,
    description: str,
    *targets: Target,
    unit: str = "short",
    thresholds: dict[str, Any] | None = None,
    links: Sequence[dict[str, Any]] = (),
    most: float | None = None,
    overrides: Sequence[dict[str, Any]] = (),
) -> Panel:
    """Courses of values; thresholds are drawn as dashed lines."""
    custom = {
        **_DRAWN,
        "drawStyle": "line",
        "fillOpacity": 8,
        "thresholdsStyle": {"mode": "dashed" if thresholds else "off"},
    }
    defaults = {
        "unit": unit,
        **_named(targets),
        "min": 0,
        **({"max": most} if most is not None else {}),
        "thresholds": thresholds or look.PLAIN,
        "color": {"mode": "palette-classic-by-name"},
        "custom": custom,
        "links": list(links),
    }
    options = _legend("lastNotNull", "max")
    return _panel("timeseries", title, description, targets, defaults, options, overrides)


def bars(
    title: str,
    description: str,
    *targets: Target,
    unit: str = "short",
    links: Sequence[dict[str, Any]] = (),
    overrides: Sequence[dict[str, Any]] = (),
) -> Panel:
    """How much there was in each stretch of time, one on top of the other."""
    custom = {
        **_DRAWN,
        "drawStyle": "bars",
        "fillOpacity": 80,
        "lineWidth": 0,
        "stacking": {"mode": "normal", "group": "A"},
        "thresholdsStyle": {"mode": "off"},
    }
    defaults = {
        "unit": unit,
        **_named(targets),
        "min": 0,
        "decimals": 0,
        "thresholds": look.PLAIN,
        "color": {"mode": "palette-classic-by-name"},
        "custom": custom,
        "links": list(links),
    }
    panel = _panel("timeseries", title, description, targets, defaults, _legend("sum"), overrides)
    return {**panel, "interval": SHORTEST_BAR}


def states(
    title: str,
    description: str,
    *targets: Target,
    mappings: Sequence[dict[str, Any]],
    links: Sequence[dict[str, Any]] = (),
    absent: str = "",
) -> Panel:
    """When something was in which state: a row for each series."""
    defaults = {
        "unit": "short",
        "thresholds": look.PLAIN,
        "color": {"mode": "thresholds"},
        "mappings": list(mappings),
        "links": list(links),
        "custom": {"fillOpacity": 80, "lineWidth": 0, "spanNulls": False},
        **({"noValue": absent} if absent else {}),
    }
    options = {
        "alignValue": "left",
        "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom"},
        "mergeValues": True,
        "rowHeight": 0.9,
        "showValue": "never",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return _panel("state-timeline", title, description, targets, defaults, options)


def levels(
    title: str, description: str, *targets: Target, unit: str, most: float, absent: str = ""
) -> Panel:
    """Horizontal bars, as long as the values that they have now."""
    defaults = {
        "unit": unit,
        "min": 0,
        "max": most,
        "thresholds": look.thresholds("blue"),
        "color": {"mode": "thresholds"},
        **({"noValue": absent} if absent else {}),
    }
    options = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "valueMode": "color",
    }
    return _panel("bargauge", title, description, targets, defaults, options)


def table(
    title: str,
    description: str,
    *targets: Target,
    overrides: Sequence[dict[str, Any]] = (),
    transformations: Sequence[dict[str, Any]] = (),
    absent: str = "",
) -> Panel:
    """Rows of columns that can be filtered and sorted."""
    defaults = {
        "unit": "short",
        "thresholds": look.PLAIN,
        "color": {"mode": "thresholds"},
        "custom": {"align": "auto", "filterable": True, "inspect": True},
        **({"noValue": absent} if absent else {}),
    }
    options = {"cellHeight": "sm", "showHeader": True}
    panel = _panel("table", title, description, targets, defaults, options, overrides)
    return {**panel, "transformations": list(transformations)}


def text(title: str, description: str, markdown: str) -> Panel:
    """Words."""
    options = {"mode": "markdown", "content": markdown}
    return {"type": "text", "title": title, "description": description, "options": options}


def joined(columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """Makes one table of several queries with the same labels.

    `columns` are those that stay, in order, with what they are called. The values of the first
    query are in `Value #A`, those of the second in `Value #B`.
    """
    order = {name: index for index, name in enumerate(columns)}
    renamed = {"indexByName": order, "renameByName": dict(columns)}
    return [
        {"id": "merge", "options": {}},
        {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}},
        {"id": "organize", "options": {"excludeByName": {}, "includeByName": {}, **renamed}},
    ]


_DRAWN = {
    "lineInterpolation": "linear",
    "lineWidth": 1,
    "pointSize": 4,
    "showPoints": "auto",
    "spanNulls": False,
    "axisPlacement": "auto",
    "axisLabel": "",
    "scaleDistribution": {"type": "linear"},
}


def _named(targets: Sequence[Target]) -> dict[str, str]:
    """Series of the REST API are called as their column `series` says; those of Prometheus have legends."""
    return {"displayName": rest.SERIES_NAME} if targets[0]["datasource"] == rest.INFINITY else {}


def _legend(*figures: str) -> dict[str, Any]:
    return {
        "legend": {
            "showLegend": True,
            "displayMode": "table",
            "placement": "bottom",
            "calcs": list(figures),
            "sortBy": {"lastNotNull": "Last *", "sum": "Total"}[figures[0]],
            "sortDesc": True,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _panel(
    kind: str,
    title: str,
    description: str,
    targets: Sequence[Target],
    defaults: dict[str, Any],
    options: dict[str, Any],
    overrides: Sequence[dict[str, Any]] = (),
) -> Panel:
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": targets[0]["datasource"],
        "targets": [
            {"refId": letter, **target}
            for letter, target in zip(ascii_uppercase, targets, strict=False)
        ],
        "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "options": options,
    }
