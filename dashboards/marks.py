"""Marks on graphs: alerts, new versions, and what the daemon itself tells."""

from __future__ import annotations

from typing import Any

from dashboards import rest
from dashboards.query import FIRING, PROMETHEUS, series
from dashboards.rest import Column


def marks(*variables: str) -> list[dict[str, Any]]:
    """All marks; those of the daemon only about what the variables choose."""
    return [_alerts(), _deploys(), _told(*variables)]


def _alerts() -> dict[str, Any]:
    return {
        **_mark("Alerts", "red", PROMETHEUS),
        "expr": FIRING,
        "titleFormat": "{{alertname}}",
        "textFormat": "{{pipeline}} {{source}} {{category}}",
        "tagKeys": "severity",
    }


def _deploys() -> dict[str, Any]:
    """A version that was not there one step before."""
    versions = f"count by (version) ({series('triaged_build_info')})"
    before = f"count by (version) ({series('triaged_build_info')} offset $__interval)"
    return {
        **_mark("Deploys", "blue", PROMETHEUS),
        "expr": f"{versions} unless {before}",
        "titleFormat": "triaged {{version}}",
        "textFormat": "started",
        "tagKeys": "version",
    }


def _told(*variables: str) -> dict[str, Any]:
    """What people did. As CSV, where tags are one text with commas, as Grafana splits them.

    Failed runs would be as many marks as the failures that are drawn below.
    """
    columns = (
        Column("time", "time", "timestamp"),
        Column("timeEnd", "timeEnd", "timestamp"),
        Column("title", "title"),
        Column("text", "text"),
        Column("tags", "tags"),
    )
    query = rest.table(
        "/api/report/annotations",
        *columns,
        **rest.CHOSEN_TIME,
        **rest.chosen(*variables),
        kind="group,retry,pause",
        format="csv",
    )
    asked = {"refId": "Anno", **query, "type": "csv"}
    return {**_mark("Decisions", "purple", rest.INFINITY), "target": asked}


def _mark(name: str, colour: str, data_source: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "datasource": data_source, "enable": True, "iconColor": colour}
