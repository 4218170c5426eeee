"""What is worth a mark on a graph: failed runs, decisions, retries, pauses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from daemon.store.reading import Reader
from daemon.store.records import stored, utc


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
    all_marks = " UNION ALL ".join(f"SELECT * FROM ({_MARKS[kind]})" for kind in chosen)
    parts, parameters = ["time >= ?", "time < ?"], list[Any]([stored(since), stored(until)])
    if pipelines is not None:
        parts.append("list_has_any(?, pipelines)")
        parameters.append(list(pipelines))
    if sources is not None:
        parts.append("list_has_any(?, sources)")
        parameters.append(list(sources))
    rows = reader.rows(
        f"SELECT time, time_end, title, text, tags FROM ({all_marks}) WHERE {' AND '.join(parts)} "
        "ORDER BY time DESC, title, text LIMIT ?",
        [*parameters, limit],
    )
    return [Mark(*map(utc, row)) for row in rows]


_HAVE_SOURCES = (MarkKind.RUN, MarkKind.RETRY)

_MARKS = {
    MarkKind.RUN: """
        SELECT started_at AS time, ended_at AS time_end, [pipeline] AS pipelines, [source] AS sources,
               format('Run {}: {}/{}', status, pipeline, source) AS title,
               concat_ws(' ', user_message, suggested_action) AS text,
               list_filter(['run', status, pipeline, source, category], lambda tag: tag IS NOT NULL)
                   AS tags
        FROM runs WHERE status IN ('failed', 'interrupted')""",
    MarkKind.GROUP: """
        SELECT decided_at AS time, CASE WHEN until > decided_at THEN until END AS time_end,
               [pipeline] AS pipelines, []::VARCHAR[] AS sources,
               'Group ' || decision AS title,
               concat_ws(' ', message, '(' || failure_group || ').', note,
                         'By ' || decided_by || '.') AS text,
               ['group', decision, pipeline, category] AS tags
        FROM group_decisions JOIN failure_groups USING (failure_group)""",
    MarkKind.RETRY: """
        SELECT asked_at AS time, ended_at AS time_end,
               coalesce(targets.pipelines, []) AS pipelines, coalesce(targets.sources, []) AS sources,
               'Retry ' || state AS title,
               format('{} items, asked for by {}.', selected, asked_by) AS text,
               list_concat(['retry', state], coalesce(targets.pipelines, [])) AS tags
        FROM retry_operations LEFT JOIN (
            SELECT operation_id, list_sort(list(DISTINCT pipeline)) AS pipelines,
                   list_sort(list(DISTINCT source)) AS sources
            FROM retry_targets GROUP BY operation_id) AS targets USING (operation_id)""",
    MarkKind.PAUSE: """
        SELECT paused_at AS time, NULL::TIMESTAMP AS time_end, [pipeline] AS pipelines,
               []::VARCHAR[] AS sources, 'Paused: ' || pipeline AS title,
               'No cycle starts by itself until it is resumed.' AS text,
               ['pause', pipeline] AS tags
        FROM paused_pipelines""",
}
