"""Queries to the reporting API, as Grafana's Infinity data source asks them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

INFINITY = {"type": "yesoreyeram-infinity-datasource", "uid": "${infinity_datasource}"}

Kind = Literal["string", "number", "timestamp", "boolean"]


class Column(NamedTuple):
    """A field of the answer, and what it is called in a table."""

    field: str
    title: str
    kind: Kind = "string"


SERIES_NAME = "${__field.labels.Series}"
"""What a series is called, in a graph and in its links."""

CHOSEN_TIME = {"from": "${__from}", "to": "${__to}"}
"""Epoch milliseconds."""


def table(path: str, *columns: Column, **parameters: str) -> dict[str, Any]:
    """The rows at a path."""
    return {
        "datasource": INFINITY,
        "type": "json",
        "source": "url",
        "parser": "backend",
        "format": "table",
        "url": path,
        "url_options": {
            "method": "GET",
            "params": [{"key": key, "value": value} for key, value in parameters.items()],
        },
        "root_selector": "",
        "columns": [
            {"selector": column.field, "text": column.title, "type": column.kind}
            for column in columns
        ],
        "filters": [],
    }


def over_time(path: str, figure: Column, **parameters: str) -> dict[str, Any]:
    """The series at a path, each told apart by its column `series`."""
    columns = (Column("time", "Time", "timestamp"), Column("series", "Series"), figure)
    points = table(path, *columns, **CHOSEN_TIME, max_data_points="300", **parameters)
    return {**points, "format": "timeseries"}


def chosen(*variables: str) -> dict[str, str]:
    """Parameters that are called as the variables they get their values from."""
    return {name: f"${{{name}:csv}}" for name in variables}
