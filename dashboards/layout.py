"""Where panels stand: rows with a title, in them lines of panels that fill the whole width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from dashboards.panels import Panel

COLUMNS = 24


class Line(NamedTuple):
    """Panels side by side, each with its width; together as wide as the dashboard."""

    height: int
    panels: tuple[tuple[int, Panel], ...]


class Row(NamedTuple):
    """Lines under a title."""

    title: str
    lines: tuple[Line, ...]


def line(height: int, *panels: tuple[int, Panel]) -> Line:
    """Panels of different widths side by side. Raises `ValueError` when they do not fill the line."""
    if sum(width for width, _ in panels) != COLUMNS:
        raise ValueError(f"{[panel['title'] for _, panel in panels]} do not fill the line")
    return Line(height, panels)


def evenly(height: int, *panels: Panel) -> Line:
    """Panels of the same width side by side."""
    return line(height, *((COLUMNS // len(panels), panel) for panel in panels))


def row(title: str, *lines: Line) -> Row:
    """Lines under a title."""
    return Row(title, lines)


def placed(rows: list[Row]) -> list[Panel]:
    """All panels from top to bottom, with their places, and ids in this order."""
    return [{"id": number, **panel} for number, panel in enumerate(_placed(rows), 1)]


def _placed(rows: list[Row]) -> Iterator[Panel]:
    top = 0
    for title, lines in rows:
        yield {"type": "row", "title": title, "collapsed": False, "panels": []} | _at(
            0, top, COLUMNS, 1
        )
        top += 1
        for height, panels in lines:
            left = 0
            for width, panel in panels:
                yield panel | _at(left, top, width, height)
                left += width
            top += height


def _at(left: int, top: int, width: int, height: int) -> dict[str, Any]:
    return {"gridPos": {"x": left, "y": top, "w": width, "h": height}}
