"""Tables of reports that have no queries of their own elsewhere: sources and cycles."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from daemon.store.reading import Reader
from daemon.store.records import stored, utc


class SourceFigures(NamedTuple):
    """How a source stands. Times are in UTC."""

    pipeline: str
    source: str
    last_status: str | None
    """None before its first run."""
    last_run_at: datetime | None
    last_success_at: datetime | None
    consecutive_failures: int
    failing_category: str | None
    """Of its latest run, if that failed."""
    open_failures: int


class CycleFigures(NamedTuple):
    """A sweep over the sources of a pipeline. Times are in UTC."""

    cycle_id: str
    pipeline: str
    started_by: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    duration_seconds: float | None
    runs: int
    runs_failed: int
    items_failed: int


def sources(reader: Reader) -> list[SourceFigures]:
    """All sources that ever ran or failed, by name."""
    return [SourceFigures(*map(utc, row)) for row in reader.rows(_SOURCES)]


def cycles(
    reader: Reader,
    since: datetime,
    until: datetime,
    limit: int,
    offset: int,
    *,
    pipelines: tuple[str, ...] | None = None,
    outcomes: tuple[str, ...] | None = None,
) -> list[CycleFigures]:
    """Cycles that began in that time, newest first."""
    parts, parameters = ["started_at >= ?", "started_at < ?"], list[Any]()
    parameters += [stored(since), stored(until)]
    for column, values in (("pipeline", pipelines), ("outcome", outcomes)):
        if values is not None:
            parts.append(f"list_contains(?, {column})")
            parameters.append(list(values))
    sql = _CYCLES.replace("{where}", " AND ".join(parts))
    rows = reader.rows(sql, [*parameters, limit, offset])
    return [CycleFigures(*map(utc, row)) for row in rows]


_SOURCES = """
    WITH ran AS (
        SELECT pipeline, source, arg_max(status, run_id) AS last_status,
               max(started_at) AS last_run_at,
               max(ended_at) FILTER (status = 'success') AS last_success_at,
               max(run_id) FILTER (status IN ('success', 'partial')) AS last_good,
               CASE WHEN arg_max(status, run_id) FILTER (status <> 'running') = 'failed'
                    THEN arg_max(category, run_id) FILTER (status = 'failed') END AS failing
        FROM runs GROUP BY pipeline, source),
    failing AS (
        SELECT pipeline, source, count(*) AS n FROM runs JOIN ran USING (pipeline, source)
        WHERE status = 'failed' AND (last_good IS NULL OR run_id > last_good)
        GROUP BY pipeline, source),
    pending AS (
        SELECT pipeline, source, sum(n)::BIGINT AS n FROM failure_tally WHERE status = 'open'
        GROUP BY pipeline, source)
    SELECT pipeline, source, last_status, last_run_at, last_success_at, coalesce(failing.n, 0),
           ran.failing, coalesce(pending.n, 0)
    FROM ran FULL JOIN pending USING (pipeline, source) LEFT JOIN failing USING (pipeline, source)
    ORDER BY pipeline, source"""

_CYCLES = """
    WITH page AS (
        SELECT * FROM cycles WHERE {where} ORDER BY started_at DESC, cycle_id DESC LIMIT ? OFFSET ?)
    SELECT page.cycle_id, page.pipeline, page.started_by, page.started_at, page.ended_at, outcome,
           page.duration_seconds, count(runs.run_id), count(*) FILTER (runs.status = 'failed'),
           coalesce(sum(runs.failed), 0)::BIGINT
    FROM page LEFT JOIN runs ON runs.cycle_id = page.cycle_id
    GROUP BY ALL ORDER BY page.started_at DESC, page.cycle_id DESC"""
