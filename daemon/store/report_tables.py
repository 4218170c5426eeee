"""Tables of reports that have no queries of their own elsewhere: the latest runs of sources, and cycles."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from daemon.store.reading import Reader
from daemon.store.records import stored, utc
from daemon.store.sql import SQL, query


class LatestRun(NamedTuple):
    """The latest run of a source. Times are in UTC."""

    status: str
    started_at: datetime


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


def latest_runs(reader: Reader) -> dict[tuple[str, str], LatestRun]:
    """The latest run of each source that ever ran, by pipeline and source."""
    rows = reader.rows(SQL["latest_by_source"])
    return {(pipeline, source): LatestRun(*map(utc, row)) for pipeline, source, *row in rows}


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
