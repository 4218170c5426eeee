"""Runs: pages of them, one, and its log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from litestar.di import NamedDependency
from litestar.params import PathParameter
from litestar.response import Stream

from api.description import Content
from api.filters import RunPageQuery
from api.known import require_known
from api.routes import reads
from api.schemas.runs import RunDetail, RunList
from api.streaming import stream
from daemon.clock import Clock
from daemon.live import Live
from daemon.pipelines.catalog import Catalog
from daemon.store.columns.runs import RunRecord
from daemon.store.database import Database
from daemon.store.runs import LogLine, Runs

_LINES = 200
"""Lines of a log that are sent together."""

RunIdInPath = Annotated[str, PathParameter(description="Id of the run.")]


@reads("/api/runs", RunPageQuery, summary="Runs, newest first", operation_id="listRuns")
def list_runs(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    runs: NamedDependency[Runs],
    live: NamedDependency[Live],
    database: NamedDependency[Database],
    wanted: NamedDependency[RunPageQuery],
) -> RunList:
    """All runs that match, those under way included."""
    require_known(wanted, catalog, database)
    return _page(clock, catalog, runs, live, wanted, ended=None)


@reads(
    "/api/processing/history",
    RunPageQuery,
    summary="Runs that ended, newest first",
    operation_id="listEndedRuns",
)
def history(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    runs: NamedDependency[Runs],
    live: NamedDependency[Live],
    database: NamedDependency[Database],
    wanted: NamedDependency[RunPageQuery],
) -> RunList:
    """All runs that match and are not under way."""
    require_known(wanted, catalog, database)
    return _page(clock, catalog, runs, live, wanted, ended=True)


def _page(
    clock: Clock,
    catalog: Catalog,
    runs: Runs,
    live: Live,
    wanted: RunPageQuery,
    *,
    ended: bool | None,
) -> RunList:
    chosen = wanted.filter(catalog, ended=ended)
    page = runs.page(chosen, wanted.limit, wanted.cursor)
    return RunList(
        runs=describe(catalog, live, page.runs),
        total_runs=runs.total(chosen),
        next_cursor=page.next_cursor,
        timestamp=clock.now(),
    )


def describe(catalog: Catalog, live: Live, records: list[RunRecord]) -> list[RunDetail]:
    """Stored runs; those under way with what is known of them live."""
    active = {run.run_id: run for run in live.active()}
    return [RunDetail.of(record, catalog, active.get(record.run_id)) for record in records]


@reads("/api/runs/{run_id:str}", summary="One run", operation_id="getRun")
def get_run(
    catalog: NamedDependency[Catalog],
    runs: NamedDependency[Runs],
    live: NamedDependency[Live],
    run_id: RunIdInPath,
) -> RunDetail:
    """How the run ended, its items by outcome and its most frequent causes of failure."""
    return describe(catalog, live, [runs.get(run_id)])[0]


@reads(
    "/api/runs/{run_id:str}/log",
    summary="The log of a run",
    operation_id="getRunLog",
    content=Content(
        str,
        (
            "JSON lines, oldest first: `time`, `event`, `run_id` and, where they apply, "
            "`text`, `file_path`, `error_category`, `retryable`, `failure_id`, `status`."
        ),
        "application/x-ndjson",
    ),
)
def get_log(runs: NamedDependency[Runs], run_id: RunIdInPath) -> Stream:
    """Its steps and failures, one JSON object a line, streamed."""
    return stream(_encoded(runs.log(run_id)), "application/x-ndjson")


def _encoded(lines: Iterator[LogLine]) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    batch: list[LogLine] = []
    for line in lines:
        batch.append(line)
        if len(batch) == _LINES:
            yield encoder.encode_lines(batch)
            batch.clear()
    yield encoder.encode_lines(batch)
