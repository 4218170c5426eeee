"""Asks what dashboards ask, with variables replaced as Grafana replaces them.

https://grafana.com/docs/grafana/latest/visualizations/dashboards/variables/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")
_UNITS = {"s": 1, "m": 60, "h": 3600}
POINTS = 1000
"""About as many as a panel has pixels."""


class Choices(NamedTuple):
    """What somebody chose at the top of a dashboard; everything if nothing is said."""

    since: float = 0
    until: float = 3600
    """Seconds since 1970."""
    scrape: int = 15
    """Seconds between scrapes, as the data source says."""
    values: Mapping[str, str] = {}


def interval(choices: Choices, shortest: str = "") -> int:
    """Seconds from one point of a graph to the next."""
    least = int(shortest[:-1]) * _UNITS[shortest[-1]] if shortest else choices.scrape
    return max(least, round((choices.until - choices.since) / POINTS), 1)


def replaced(text: str, choices: Choices, shortest: str = "") -> str:
    """A query with its variables replaced; all values where none is chosen. Raises `KeyError`."""
    step = interval(choices, shortest)
    known = {
        "__interval": f"{step}s",
        "__rate_interval": f"{max(step + choices.scrape, 4 * choices.scrape)}s",
        "__range": f"{max(1, round(choices.until - choices.since))}s",
        "__from": str(round(choices.since * 1000)),
        "__to": str(round(choices.until * 1000)),
        **dict.fromkeys(("job", "instance", "pipeline", "source", "category"), ".+"),
        **dict.fromkeys(("group", "retryable", "status"), ".+"),
        "failure_group": "",
        **choices.values,
    }
    return _VARIABLE.sub(lambda match: known[match[1] or match[3]], text)


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The panels that ask something."""
    return (panel for panel in dashboard["panels"] if "targets" in panel)


def expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    """All queries to Prometheus: of panels, marks and variables."""
    for panel in panels(dashboard):
        yield from (target["expr"] for target in panel["targets"] if "expr" in target)
    yield from (mark["expr"] for mark in dashboard["annotations"]["list"] if "expr" in mark)
    yield from (selector for selector, _ in label_queries(dashboard))


def label_queries(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Of which selector the values of which label a variable offers."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
            assert match is not None
            yield match[1], match[2]


def asked(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All queries to the REST API: of panels and marks."""
    for panel in panels(dashboard):
        yield from (target for target in panel["targets"] if "url" in target)
    yield from (mark["target"] for mark in dashboard["annotations"]["list"] if "target" in mark)
