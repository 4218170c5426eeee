"""Rules as Prometheus reads them: annotations with their links, and YAML."""

from __future__ import annotations

import math
from typing import Any

import yaml

from alerts.rule import Alert, Group, Recording
from alerts.thresholds import Links

_VARIABLES = ("job", "pipeline", "source")
"""Labels that dashboards have a variable for."""

HEADER = "# Made from alerts/thresholds.toml by `make docs`. Do not edit.\n"


def annotated(alert: Alert, links: Links) -> dict[str, str]:
    """What an alert says, with where to read on."""
    cause = {"cause": alert.cause} if alert.cause else {}
    return {
        "summary": alert.summary,
        "description": alert.description,
        **cause,
        "advice": alert.advice,
        "runbook_url": f"{links.runbooks}/{alert.name}.md",
        "dashboard_url": f"{links.dashboards}/d/{alert.dashboard}{_chosen(alert)}",
        "detail_url": links.api + alert.detail,
    }


def _chosen(alert: Alert) -> str:
    """The variables of the dashboard, from the labels that the alert shows."""
    text = alert.description + alert.detail
    named = [name for name in _VARIABLES if f"{{{{ $labels.{name} }}}}" in text]
    query = "&".join(f"var-{name}={{{{ $labels.{name} }}}}" for name in named)
    return f"?{query}" if query else ""


def written(groups: list[Group], links: Links) -> str:
    """A rule file."""
    tree = {
        "groups": [
            {"name": group.name, "rules": [_rule(rule, links) for rule in group.rules]}
            for group in groups
        ]
    }
    text = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf)
    return f"{HEADER}{text}"


def _rule(rule: Recording | Alert, links: Links) -> dict[str, Any]:
    if isinstance(rule, Recording):
        return {"record": rule.name, "expr": rule.expr}
    lasting = {"for": rule.lasting, "keep_firing_for": rule.keep_firing}
    return {
        "alert": rule.name,
        "expr": rule.expr,
        **{key: value for key, value in lasting.items() if value},
        "labels": {"severity": str(rule.severity), **rule.labels},
        "annotations": annotated(rule, links),
    }


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML has no types
    """Writes a text of several lines as a block, which can be read."""


def _text(dumper: Any, value: str) -> Any:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)


_Dumper.add_representer(str, _text)
