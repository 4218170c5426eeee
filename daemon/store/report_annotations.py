"""What is worth a mark on a graph: failed runs, decisions, retries, pauses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from daemon.store.reading import Reader
from daemon.store.records import stored, utc
from daemon.store.sql import SQL, query


class MarkKind(StrEnum):
    """What a mark is about."""

    RUN = "run"
    """A run that failed, or that the daemon ended under."""
    GROUP = "group"
    """The decision about a failure group that counts now."""
    RETRY = "retry"
    """A retry that a person asked for."""
    PAUSE = "pause"
    """A pipeline that is paused now."""


class Mark(NamedTuple):
    """A moment, or a stretch of time when it has an end, with what happened. Texts are masked."""

    time: datetime
    time_end: datetime | None
    title: str
    text: str
    tags: list[str]


def marks(
    reader: Reader,
    since: datetime,
    until: datetime,
    limit: int,
    *,
    kinds: Sequence[MarkKind] = tuple(MarkKind),
    pipelines: tuple[str, ...] | None = None,
    sources: tuple[str, ...] | None = None,
) -> list[Mark]:
    """The newest marks from `since` to before `until`, newest first."""
    chosen = [kind for kind in kinds if sources is None or kind in _HAVE_SOURCES]
    if not chosen:
        return []
    all_marks = " UNION ALL ".join(f"SELECT * FROM ({SQL[f'mark_of_{kind}']})" for kind in chosen)
    parts, parameters = ["time >= ?", "time < ?"], list[Any]([stored(since), stored(until)])
    if pipelines is not None:
        parts.append("list_has_any(?, pipelines)")
        parameters.append(list(pipelines))
    if sources is not None:
        parts.append("list_has_any(?, sources)")
        parameters.append(list(sources))
    rows = reader.rows(
        query("newest_marks", marks=all_marks, where=" AND ".join(parts)),
        [*parameters, limit],
    )
    return [Mark(*map(utc, row)) for row in rows]


_HAVE_SOURCES = (MarkKind.RUN, MarkKind.RETRY)
