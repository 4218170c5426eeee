"""A whole dashboard: variables, marks, links to the others, and its rows."""

from __future__ import annotations

from typing import Any

from alerts.thresholds import Links
from dashboards.layout import Row, placed
from dashboards.marks import marks
from dashboards.variables import DAEMONS, DATA_SOURCES, Variable, constant

SCHEMA_VERSION = 42
TAG = "triaged"


def dashboard(
    uid: str,
    title: str,
    description: str,
    links: Links,
    variables: list[Variable],
    rows: list[Row],
    *,
    marks_of: tuple[str, ...] = (),
    since: str = "now-6h",
) -> dict[str, Any]:
    """The dashboard as Grafana reads it. `marks_of` are the variables that choose marks."""
    return {
        "uid": uid,
        "title": f"triaged / {title}",
        "description": description,
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": since, "to": "now"},
        "refresh": "30s",
        "timepicker": {},
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "links": [_others()],
        "annotations": {"list": marks(*marks_of)},
        "templating": {
            "list": [
                *DATA_SOURCES,
                *DAEMONS,
                *variables,
                constant("api", links.api),
                constant("runbooks", links.runbooks),
            ]
        },
        "panels": placed(rows),
    }


def _others() -> dict[str, Any]:
    """Links to all dashboards with the same tag, over the same time and with the same choices."""
    return {
        "type": "dashboards",
        "title": "triaged",
        "tags": [TAG],
        "asDropdown": False,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "tooltip": "",
        "url": "",
    }
