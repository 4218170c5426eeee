"""Recorded answers, of which tests compare what clients rely on: fields by name, and not that there are no others."""

from __future__ import annotations

from typing import Any


def as_recorded(answer: Any, recorded: Any) -> Any:
    """An answer without the fields and columns that the recorded one does not name.

    Where it lacks one, or has more or fewer rows, it stays different from the recorded one.
    """
    if isinstance(answer, dict) and isinstance(recorded, dict):
        if answer.get("type") == recorded.get("type") == "table":
            return {**_named(answer, recorded), **_table(answer, recorded)}
        return _named(answer, recorded)
    if isinstance(answer, list) and isinstance(recorded, list) and len(answer) == len(recorded):
        return [as_recorded(a, r) for a, r in zip(answer, recorded, strict=True)]
    return answer


def _named(answer: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
    return {name: as_recorded(answer[name], r) for name, r in recorded.items() if name in answer}


def _table(answer: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
    """A table of Grafana's, whose panels know columns by their names."""
    named = [column["text"] for column in answer["columns"]]
    places = [named.index(c["text"]) for c in recorded["columns"] if c["text"] in named]
    return {
        "columns": [answer["columns"][place] for place in places],
        "rows": [[row[place] for place in places] for row in answer["rows"]],
    }
