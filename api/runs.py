"""Runs: pages of them, one, and its log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import PathParameter
from litestar.response import Stream
from msgspec.structs import replace

from api.description import Content
from api.filters import RunPageQuery
from api.known import require_known
from api.listed import a_list, listed
from api.routes import reads
from api.schemas.runs import RunDetail, RunList
from api.streaming import stream
from daemon.clock import Clock
from daemon.idle_runs import IdleRuns
from daemon.live import Live
from daemon.pipelines.catalog import Catalog
from daemon.store.columns.runs import RunRecord
from daemon.store.database import Database
from daemon.store.runs import LogLine, RunFilter, Runs

_LINES = 200
"""Lines of a log that are sent together."""

RunIdInPath = Annotated[str, PathParameter(description="Id of the run.")]


@reads(
    "/api/runs",
    RunPageQuery,
    summary="Runs, newest first",
    operation_id="listRuns",
    content=a_list(RunList),
)
def list_runs(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    runs: NamedDependency[Runs],
    live: NamedDependency[Live],
    idle_runs: NamedDependency[IdleRuns],
    database: NamedDependency[Database],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[RunPageQuery],
) -> Response[Any]:
    """All runs that match, those under way included."""
    require_known(wanted, catalog, database)
    shown = RunLister(catalog, runs, live, idle_runs)
    every = wanted.include_idle is not False
    return _page(request, clock, shown, wanted, wanted.filter(catalog), every=every)


@reads(
    "/api/processing/history",
    RunPageQuery,
    summary="Runs that ended, newest first",
    operation_id="listEndedRuns",
    content=a_list(RunList),
)
def history(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    runs: NamedDependency[Runs],
    live: NamedDependency[Live],
    idle_runs: NamedDependency[IdleRuns],
    database: NamedDependency[Database],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[RunPageQuery],
) -> Response[Any]:
    """Runs that match and are not under way. Runs that had nothing to do are left out, but for the last of each source."""
    require_known(wanted, catalog, database)
    shown = RunLister(catalog, runs, live, idle_runs)
    every = wanted.include_idle is True
    return _page(request, clock, shown, wanted, wanted.filter(catalog, ended=True), every=every)


class RunLister(NamedTuple):
    """Lists runs as they are shown."""

    catalog: Catalog
    runs: Runs
    live: Live
    idle_runs: IdleRuns

    def newest(self, limit: int) -> list[RunDetail]:
        """Runs that ended last, newest first; of those that had nothing to do the last of each source, if there is room."""
        return self.shown(self.idle_runs.newest(self.runs, RunFilter(ended=True), limit).runs)

    def shown(self, records: list[RunRecord]) -> list[RunDetail]:
        """Runs with how many idle ones they stand for."""
        streaks = self.idle_runs.by_run()
        return [
            replace(run, idle_runs=streak.runs, idle_since=streak.since)
            if (streak := streaks.get(run.run_id))
            else run
            for run in describe(self.catalog, self.live, records)
        ]


def _page(
    request: Request[Any, Any, Any],
    clock: Clock,
    shown: RunLister,
    wanted: RunPageQuery,
    chosen: RunFilter,
    *,
    every: bool,
) -> Response[Any]:
    """`every` is whether runs that had nothing to do are listed one by one."""
    if every:
        page = shown.runs.page(chosen, wanted.limit, wanted.cursor)
    else:
        page = shown.idle_runs.page(shown.runs, chosen, wanted.limit, wanted.cursor)
    answered = RunList(
        runs=shown.shown(page.runs),
        total_runs=shown.runs.total(chosen),
        next_cursor=page.next_cursor,
        timestamp=clock.now(),
    )
    return listed(request, wanted, answered, answered.runs, RunDetail)


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
