"""Tables of reports that have no queries of their own elsewhere: sources and cycles."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from daemon.store.reading import Reader
from daemon.store.records import stored, utc
from daemon.store.sql import SQL, query


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
    return [SourceFigures(*map(utc, row)) for row in reader.rows(SQL["table_of_sources"])]


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
    sql = query("table_of_cycles", where=" AND ".join(parts))
    rows = reader.rows(sql, [*parameters, limit, offset])
    return [CycleFigures(*map(utc, row)) for row in rows]
