"""The rules of Grafana's dashboard linter, which is a Go program, for dashboards of Prometheus.

https://github.com/grafana/dashboard-linter/tree/main/docs/rules
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

UNITS = {
    *(
        "short",
        "percentunit",
        "bytes",
        "decbytes",
        "s",
        "cps",
        "wps",
        "ops",
        "string",
        "bool_yes_no",
    ),
    *("dateTimeAsIso", "dateTimeFromNow"),
}
"""Those of Grafana's units that are of use here."""

SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}")
_DATA_SOURCE = re.compile(r"\$\{(\w+)\}")
_FIGURES = ("stat", "table", "timeseries", "gauge", "bargauge")


class Complaint(NamedTuple):
    """What breaks which rule."""

    rule: str
    dashboard: str
    panel: str | None = None


def complaints(dashboard: dict[str, Any]) -> Iterator[Complaint]:
    """All that the linter would say of a dashboard."""
    title = dashboard["title"]
    yield from (Complaint(rule, title) for rule in _of_templates(dashboard))
    if dashboard["editable"]:
        yield Complaint("uneditable-dashboard-rule", title)
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            yield from (
                Complaint(rule, title, panel["title"]) for rule in _of_panel(dashboard, panel)
            )


def variables(dashboard: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The variables of a dashboard by name."""
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


def data_source_kind(dashboard: dict[str, Any], reference: dict[str, str]) -> str:
    """Of which kind a panel's data source is; empty if it is no variable."""
    named = _DATA_SOURCE.fullmatch(reference["uid"])
    variable = variables(dashboard).get(named[1]) if named else None
    return variable["query"] if variable and variable["type"] == "datasource" else ""


def _of_templates(dashboard: dict[str, Any]) -> Iterator[str]:
    found = variables(dashboard)
    sources = [v for v in found.values() if v["type"] == "datasource"]
    first, *_ = sources
    if first["query"] != "prometheus" or any(
        (v["name"], v["label"]) != (f"{v['query']}_datasource", f"{v['query'].title()} data source")
        for v in sources
    ):
        yield "template-datasource-rule"
    for name in ("job", "instance"):
        variable = found.get(name, {})
        ok = (
            variable.get("type") == "query"
            and variable["label"] == name.title()
            and data_source_kind(dashboard, variable["datasource"]) == "prometheus"
            and variable["multi"]
            and variable["allValue"] == ".+"
        )
        if not ok:
            yield f"template-{name}-rule"
    queries = [v for v in found.values() if v["type"] == "query"]
    if any(not re.fullmatch(r"label_values\(.+, \w+\)", v["query"]) for v in queries):
        yield "template-label-promql-rule"
    if any(v["refresh"] != 2 for v in queries):
        yield "template-on-time-change-reload-rule"


def _of_panel(dashboard: dict[str, Any], panel: dict[str, Any]) -> Iterator[str]:
    if not panel.get("title") or not panel.get("description"):
        yield "panel-title-description-rule"
    if panel["type"] == "text":
        return
    if not data_source_kind(dashboard, panel["datasource"]):
        yield "panel-datasource-rule"
    if not panel["targets"]:
        yield "panel-no-targets-rule"
    if panel["type"] in _FIGURES and panel["fieldConfig"]["defaults"].get("unit") not in UNITS:
        yield "panel-units-rule"
    yield from sorted({rule for target in panel["targets"] for rule in _of_target(target)})


def _of_target(target: dict[str, Any]) -> Iterator[str]:
    expr = target.get("expr", "")
    if not expr:
        yield "target-promql-rule"
    for name, matchers in SELECTOR.findall(expr):
        for label in ("job", "instance"):
            if f'{label}=~"${label}"' not in matchers.split(", "):
                yield f"target-{label}-rule"
        if name.endswith("_total") and not _within(expr, name, "rate|irate|increase"):
            yield "target-counter-agg-rule"
    if re.search(r"\birate\(|\brate\([^\[]*\[(?!\$__rate_interval\])", expr):
        yield "target-rate-interval-rule"


def _within(expr: str, name: str, functions: str) -> bool:
    """Whether each selector of that name is the range that one of the functions is called with."""
    all_of_them = len(re.findall(rf"\b{name}\{{", expr))
    counted = len(re.findall(rf"\b(?:{functions})\({name}\{{[^}}]*\}}\[[^\]]+\]\)", expr))
    return all_of_them == counted
