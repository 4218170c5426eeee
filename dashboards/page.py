"""Makes `docs/panels.md`: every panel of every dashboard with what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_INTRODUCTION = """\
# Panels

What every panel of the [dashboards](dashboards.md) shows: the same words as behind the (i) at its title.
"""


def panels_page(dashboards: list[dict[str, Any]]) -> str:
    """The page."""
    return "\n".join([_INTRODUCTION, *(line for made in dashboards for line in _section(made))])


def _section(dashboard: dict[str, Any]) -> Iterator[str]:
    yield f"## {dashboard['title']}\n"
    yield f"{dashboard['description']}\n"
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield f"\n**{panel['title']}**\n"
            yield "| panel | from | what it shows |\n| --- | --- | --- |"
        else:
            yield f"| {panel['title']} | {_origin(panel)} | {panel['description']} |"
    yield ""


def _origin(panel: dict[str, Any]) -> str:
    """Where the figures come from, as one word."""
    targets = panel.get("targets", ())
    if not targets:
        return "text"
    return "REST API" if "url" in targets[0] else "Prometheus"
