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
from api.routes import reads
from api.schemas.runs import RunDetail, RunList
from api.streaming import stream
from daemon.service import Daemon
from daemon.store.columns.runs import RunRecord
from daemon.store.runs import LogLine

_LINES = 200
"""Lines of a log that are sent together."""

RunIdInPath = Annotated[str, PathParameter(description="Id of the run.")]


@reads("/api/runs", RunPageQuery, summary="Runs, newest first")
def list_runs(daemon: NamedDependency[Daemon], wanted: NamedDependency[RunPageQuery]) -> RunList:
    """All runs that match, those under way included."""
    return _page(daemon, wanted, ended=None)


@reads("/api/processing/history", RunPageQuery, summary="Runs that ended, newest first")
def history(daemon: NamedDependency[Daemon], wanted: NamedDependency[RunPageQuery]) -> RunList:
    """All runs that match and are not under way."""
    return _page(daemon, wanted, ended=True)


def _page(daemon: Daemon, wanted: RunPageQuery, *, ended: bool | None) -> RunList:
    chosen = wanted.filter(daemon.catalog, ended=ended)
    page = daemon.runs.page(chosen, wanted.limit, wanted.cursor)
    return RunList(
        runs=describe(daemon, page.runs),
        total_runs=daemon.runs.total(chosen),
        next_cursor=page.next_cursor,
        timestamp=daemon.clock.now(),
    )


def describe(daemon: Daemon, records: list[RunRecord]) -> list[RunDetail]:
    """Stored runs; those under way with what is known of them live."""
    live = {run.run_id: run for run in daemon.live.active()}
    return [RunDetail.of(record, daemon.catalog, live.get(record.run_id)) for record in records]


@reads("/api/runs/{run_id:str}", summary="One run")
def get_run(daemon: NamedDependency[Daemon], run_id: RunIdInPath) -> RunDetail:
    """How the run ended, its items by outcome and its most frequent causes of failure."""
    return describe(daemon, [daemon.runs.get(run_id)])[0]


@reads(
    "/api/runs/{run_id:str}/log",
    summary="The log of a run",
    content=Content(
        str,
        (
            "JSON lines, oldest first: `time`, `event`, `run_id` and, where they apply, "
            "`text`, `file_path`, `error_category`, `retryable`, `failure_id`, `status`."
        ),
        "application/x-ndjson",
    ),
)
def get_log(daemon: NamedDependency[Daemon], run_id: RunIdInPath) -> Stream:
    """Its steps and failures, one JSON object a line, streamed."""
    return stream(_encoded(daemon.runs.log(run_id)), "application/x-ndjson")


def _encoded(lines: Iterator[LogLine]) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    batch: list[LogLine] = []
    for line in lines:
        batch.append(line)
        if len(batch) == _LINES:
            yield encoder.encode_lines(batch)
            batch.clear()
    yield encoder.encode_lines(batch)
