"""Variables that stand above a dashboard."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from daemon.taxonomy import FailureStatus, Group
from dashboards.query import PIPELINE, PROMETHEUS, series
from dashboards.rest import INFINITY

Variable = dict[str, Any]

_REFRESH_WITH_TIME = 2
_HIDDEN = 2
ALL = ".+"


def data_source(name: str, label: str, kind: str) -> Variable:
    """Which data source of a kind is asked."""
    return {
        "name": name,
        "label": label,
        "type": "datasource",
        "query": kind,
        "regex": "",
        "refresh": 1,
        "hide": 0,
        "multi": False,
        "includeAll": False,
        "current": {},
        "options": [],
    }


def label_values(name: str, label: str, selector: str) -> Variable:
    """The values that a label has; any number of them, or all."""
    query = f"label_values({selector}, {name})"
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": PROMETHEUS,
        "definition": query,
        "query": query,
        "regex": "",
        "refresh": _REFRESH_WITH_TIME,
        "sort": 1,
        "hide": 0,
        **_ANY_NUMBER,
    }


def choice(name: str, label: str, values: Iterable[str]) -> Variable:
    """Values of a closed vocabulary; any number of them, or all."""
    return {
        "name": name,
        "label": label,
        "type": "custom",
        "query": ",".join(values),
        "hide": 0,
        **_ANY_NUMBER,
    }


def typed(name: str, label: str) -> Variable:
    """What somebody types, or a link brings along; empty for everything."""
    return {
        "name": name,
        "label": label,
        "type": "textbox",
        "query": "",
        "hide": 0,
        "current": {"text": "", "value": ""},
        "options": [{"text": "", "value": "", "selected": True}],
    }


def constant(name: str, value: str) -> Variable:
    """A value for links that is not shown."""
    return {
        "name": name,
        "type": "constant",
        "query": value,
        "hide": _HIDDEN,
        "skipUrlSync": True,
        "current": {"text": value, "value": value},
    }


_ANY_NUMBER = {
    "multi": True,
    "includeAll": True,
    "allValue": ALL,
    "current": {"text": ["All"], "value": ["$__all"], "selected": True},
    "options": [],
}

DATA_SOURCES = [
    data_source("prometheus_datasource", "Prometheus data source", "prometheus"),
    data_source("infinity_datasource", "Infinity data source", INFINITY["type"]),
]
DAEMONS = [
    label_values("job", "Job", "triaged_build_info"),
    label_values("instance", "Instance", 'triaged_build_info{job=~"$job"}'),
]
PIPELINES = label_values("pipeline", "Pipeline", series("triaged_runs_total"))
SOURCES = label_values("source", "Source", series("triaged_source_consecutive_failures", PIPELINE))
CATEGORIES = label_values("category", "Category", series("triaged_failures_total", PIPELINE))
RETRY_HELPS = choice("retryable", "A retry helps", ("true", "false"))
GROUPS = choice("group", "Group of categories", Group)
STATUSES = choice("status", "Status", FailureStatus)
CAUSE = typed("failure_group", "Failure group")
