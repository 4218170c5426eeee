"""What Grafana's dashboard linter may not complain of, with the reasons: its file `.lint`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dashboards.rest import INFINITY

_INFINITY_NAME = (
    "the linter wants the variable of a data source to be called after its type, and Grafana does not "
    "allow the hyphens that the type of Infinity has"
)
_REST = "asks the REST API through Infinity, not Prometheus: there is no PromQL"
_ALERTS = "alerts about an absent daemon have no instance, and must be seen whatever is chosen"

_PROMQL = "target-promql-rule"
_ABOUT_ALERTS = ("target-job-rule", "target-instance-rule")


def exclusions(dashboards: list[dict[str, Any]]) -> str:
    """The file, as YAML."""
    rules: dict[str, list[str]] = {"template-datasource-rule": []}
    for dashboard in dashboards:
        rules["template-datasource-rule"].append(_entry(_INFINITY_NAME, dashboard))
        for rule, reason, panel in _of_panels(dashboard):
            rules.setdefault(rule, []).append(_entry(reason, dashboard, panel))
    lines = ["exclusions:"]
    for rule, entries in sorted(rules.items()):
        lines += [f"  {rule}:", "    entries:", *entries]
    return "\n".join(lines) + "\n"


def _of_panels(dashboard: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for panel in dashboard["panels"]:
        targets = panel.get("targets", ())
        if any(target["datasource"] == INFINITY for target in targets):
            yield _PROMQL, _REST, panel
        if any("ALERTS{" in target.get("expr", "") for target in targets):
            yield from ((rule, _ALERTS, panel) for rule in _ABOUT_ALERTS)


def _entry(reason: str, dashboard: dict[str, Any], panel: dict[str, Any] | None = None) -> str:
    names = {"reason": reason, "dashboard": dashboard["title"]}
    if panel is not None:
        names["panel"] = panel["title"]
    written = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in names.items()]
    return "      - " + "\n        ".join(written)
