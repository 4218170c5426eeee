"""Rules as Prometheus reads them: annotations with their links, and YAML."""

from __future__ import annotations

import json
from typing import Any

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
    return HEADER + "\n".join(_lines(tree)) + "\n"


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


def _lines(node: dict[str, Any]) -> list[str]:
    """YAML of nested mappings, lists of mappings, and texts; one of several lines becomes a block."""
    lines: list[str] = []
    for key, value in node.items():
        if isinstance(value, dict):
            lines += [f"{key}:", *_indented(_lines(value))]
        elif isinstance(value, list):
            lines.append(f"{key}:")
            for item in value:
                first, *others = _lines(item)
                lines += [f"  - {first}", *_indented(others, 4)]
        elif "\n" in value:
            lines += [f"{key}: |-", *_indented(value.splitlines())]
        else:
            lines.append(f"{key}: {_text(value)}")
    return lines


def _indented(lines: list[str], by: int = 2) -> list[str]:
    return [" " * by + line for line in lines]


def _text(value: str) -> str:
    """Plain where nothing in it means anything to YAML, else quoted as JSON, which YAML reads."""
    plain = value.replace("_", "").replace(":", "").isalnum() and not value.endswith(":")
    return value if plain else json.dumps(value, ensure_ascii=False)
