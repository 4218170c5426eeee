"""How values look: colours, thresholds, words in place of numbers, links, and columns of tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GOOD, NOTICE, BAD, NEUTRAL = "green", "orange", "red", "text"


def thresholds(first: str, *steps: tuple[float, str]) -> dict[str, Any]:
    """A colour to begin with, and others from given values on."""
    later = [{"color": colour, "value": value} for value, colour in steps]
    return {"mode": "absolute", "steps": [{"color": first, "value": None}, *later]}


PLAIN = thresholds(NEUTRAL)
NONE_IS_GOOD = thresholds(GOOD, (1, BAD))


def words(texts: Mapping[int, tuple[str, str]]) -> list[dict[str, Any]]:
    """Words and a colour for values."""
    options = {
        str(value): {"text": text, "color": colour, "index": index}
        for index, (value, (text, colour)) in enumerate(texts.items())
    }
    return [{"type": "value", "options": options}]


def coloured(colours: Mapping[str, str]) -> list[dict[str, Any]]:
    """A colour for each of some texts."""
    options = {
        text: {"color": colour, "index": index}
        for index, (text, colour) in enumerate(colours.items())
    }
    return [{"type": "value", "options": options}]


STATUSES = coloured(
    {
        "success": GOOD,
        "partial": NOTICE,
        "failed": BAD,
        "interrupted": NOTICE,
        "running": "blue",
        "open": BAD,
        "retrying": "blue",
        "regressed": BAD,
        "resolved": GOOD,
        "true": GOOD,
        "false": BAD,
    }
)


def link(title: str, url: str) -> dict[str, Any]:
    """A link from a value. `${__field.labels.x}` and `${__data.fields["X"]}` stand for what it belongs to."""
    return {"title": title, "url": url, "targetBlank": url.startswith("${api}")}


def to_dashboard(uid: str, **variables: str) -> str:
    """The address of a dashboard over the same time and the same daemons, with variables set."""
    kept = ["${__url_time_range}", "${job:queryparam}", "${instance:queryparam}"]
    query = [*kept, *(f"var-{name}={value}" for name, value in variables.items())]
    return f"/d/{uid}?{'&'.join(query)}"


def column(name: str, **properties: Any) -> dict[str, Any]:
    """How one column of a table, or one series by its name, differs from the others."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [
            {"id": key.replace("__", "."), "value": value} for key, value in properties.items()
        ],
    }


def wide(name: str, width: int, **properties: Any) -> dict[str, Any]:
    """A column of a width in pixels, with its text on several lines if need be."""
    cell = {"type": "auto", "wrapText": True}
    return column(name, custom__width=width, custom__cellOptions=cell, **properties)


def badge(name: str, width: int, **properties: Any) -> dict[str, Any]:
    """A column whose text is coloured."""
    cell = {"type": "color-text"}
    return column(
        name, custom__width=width, custom__cellOptions=cell, mappings=STATUSES, **properties
    )


def when(name: str, width: int = 170, unit: str = "dateTimeAsIso") -> dict[str, Any]:
    """A column of times."""
    return column(name, custom__width=width, unit=unit)


def fixed(colour: str) -> dict[str, str]:
    """A colour that does not depend on the value."""
    return {"mode": "fixed", "fixedColor": colour}


OUTCOMES = [
    {
        # The name alone, or after that of the figure.
        "matcher": {"id": "byRegexp", "options": f"^(.+ )?({'|'.join(names)})$"},
        "properties": [{"id": "color", "value": fixed(colour)}],
    }
    for colour, names in {
        GOOD: ("success", "succeeded", "loaded", "done"),
        NOTICE: ("partial", "interrupted", "pending"),
        BAD: ("failed", "rejected"),
        "blue": ("running",),
        "#8e8e8e": ("skipped", "cancelled"),
    }.items()
]
"""The same colours for the same words everywhere."""
