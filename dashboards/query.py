"""Queries to Prometheus, with the selectors that every panel has."""

from __future__ import annotations

from typing import Any

PROMETHEUS = {"type": "prometheus", "uid": "${prometheus_datasource}"}

_CHOSEN = ('job=~"$job"', 'instance=~"$instance"')

PIPELINE = 'pipeline=~"$pipeline"'
SOURCE = 'source=~"$source"'
CATEGORY = 'category=~"$category"'
RETRYABLE = 'retryable=~"$retryable"'

FIRING = 'ALERTS{alertname=~"Triaged.+", alertname!="TriagedWatchdog", alertstate="firing"}'
"""Alerts that fire. Those about a daemon that is absent have no instance that could be chosen."""


def series(name: str, *matchers: str) -> str:
    """The selector of a series of the daemons that are chosen."""
    return f"{name}{{{', '.join([*_CHOSEN, *matchers])}}}"


def each(expr: str, legend: str = "__auto") -> dict[str, Any]:
    """The course of an expression. Labels in the legend are written `{{label}}`."""
    return {
        "datasource": PROMETHEUS,
        "expr": expr,
        "legendFormat": legend,
        "range": True,
        "instant": False,
    }


def with_exemplars(query: dict[str, Any]) -> dict[str, Any]:
    """A course with dots that lead to runs, where Prometheus keeps exemplars."""
    return {**query, "exemplar": True}


def now(expr: str, legend: str = "__auto") -> dict[str, Any]:
    """The value of an expression at the end of the chosen time."""
    return {**each(expr, legend), "range": False, "instant": True}


def rows(expr: str) -> dict[str, Any]:
    """The values at the end of the chosen time as a table with a column for each label."""
    return {**now(expr), "format": "table"}


def added(counter: str, by: str = "") -> str:
    """How much a counter grew in each stretch of a graph."""
    return f"{_sum(by)} (increase({counter}[$__interval]))"


def added_in_all(counter: str, by: str = "") -> str:
    """How much a counter grew in the chosen time."""
    return f"{_sum(by)} (increase({counter}[$__range]))"


def per_second(counter: str, by: str = "") -> str:
    """How fast a counter grows."""
    return f"{_sum(by)} (rate({counter}[$__rate_interval]))"


def quantile(share: float, histogram: str, by: str = "") -> str:
    """What that share of the observations does not exceed; `histogram` selects its buckets."""
    labels = f"le, {by}" if by else "le"
    observed = f"sum by ({labels}) (rate({histogram}[$__rate_interval]))"
    return f"histogram_quantile({share:g}, {observed})"


def share(part: str, whole: str, by: str = "") -> str:
    """The share that one counter has of another in the chosen time; absent while both stand still."""
    return f"{added_in_all(part, by)} / ({added_in_all(whole, by)} > 0)"


def those_with_most(courses: str, figure: str, most: int = 20) -> str:
    """The courses of the series that have most of something at the end: a graph stays readable.

    `figure` is evaluated once, at the end of the chosen time; series are matched by their labels.
    """
    return f"{courses} and topk({most}, {figure})"


def _sum(by: str) -> str:
    return f"sum by ({by})" if by else "sum"
