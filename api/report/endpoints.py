"""The tables of reports over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from types import GenericAlias
from typing import Annotated, Any

from litestar import Request, Response
from litestar.di import NamedDependency
from msgspec import Meta

from api.description import Content
from api.listed import columns_of
from api.problems import BadRequest
from api.query import one_of
from api.report import tables
from api.report.answers import rows
from api.report.choices import values_of
from api.report.filters import (
    NEXT,
    Cursor,
    CursorOfRuns,
    FailureReportQuery,
    Limit,
    Offset,
    ReportQuery,
    RunReportQuery,
    Values,
    parameter,
)
from api.report.reports import Reports
from api.report.span import Span
from api.routes import reads
from api.schemas import report as schemas
from api.schemas.failures import FailureRow
from daemon.taxonomy import GroupState

TOTAL = "x-total-count"
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def flat(row: type[Any], what: str) -> Content:
    """The answer of a report."""
    return Content(GenericAlias(list, (row,)), f"{what}, as a list or as CSV.", also=("text/csv",))


class FailureTableQuery(FailureReportQuery, frozen=True, kw_only=True):
    """Which failures, a page at a time."""

    limit: Limit = 100
    offset: Offset = 0
    cursor: Annotated[Cursor, NEXT] = ""


@reads(
    "/api/report/failures",
    FailureTableQuery,
    summary="Failures as rows",
    operation_id="reportFailures",
    content=flat(FailureRow, "Failures, newest first"),
)
def failures(
    reports: NamedDependency[Reports],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[FailureTableQuery],
) -> Response[Any]:
    """Every stored failure that matches; `X-Total-Count` says how many. Past the end there are none."""
    _one_way(wanted.cursor, wanted.offset)
    found = tables.failure_rows(
        reports, wanted.filter(reports.catalog), wanted.limit, wanted.cursor, wanted.offset
    )
    headers = {TOTAL: str(found.total)}
    return rows(request, found.rows, columns_of(FailureRow), wanted, headers)


class RunTableQuery(RunReportQuery, frozen=True, kw_only=True):
    """Which runs, a page at a time."""

    limit: Limit = 100
    offset: Offset = 0
    cursor: Annotated[CursorOfRuns, NEXT] = ""


@reads(
    "/api/report/runs",
    RunTableQuery,
    summary="Runs as rows",
    operation_id="reportRuns",
    content=flat(schemas.RunRow, "Runs, newest first"),
)
def runs(
    reports: NamedDependency[Reports],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[RunTableQuery],
) -> Response[Any]:
    """All runs that match, those under way included; `X-Total-Count` says how many."""
    _one_way(wanted.cursor, wanted.offset)
    found = tables.run_rows(reports, wanted.filter(), wanted.limit, wanted.cursor, wanted.offset)
    headers = {TOTAL: str(found.total)}
    return rows(request, found.rows, columns_of(schemas.RunRow), wanted, headers)


def _one_way(cursor: str, offset: int) -> None:
    if cursor and offset:
        raise BadRequest([parameter("no offset where there is a cursor", "offset")])


class GroupTableQuery(FailureReportQuery, frozen=True, kw_only=True):
    """Which failures to group, a page at a time."""

    state: Annotated[str | None, one_of(GroupState, "Only groups that, taken whole, stand so.")] = (
        None
    )
    limit: Limit = 100
    offset: Offset = 0


@reads(
    "/api/report/groups",
    GroupTableQuery,
    summary="Failure groups as rows",
    operation_id="reportFailureGroups",
    content=flat(schemas.GroupRow, "Groups of failures with the same cause, most open ones first"),
)
def groups(
    reports: NamedDependency[Reports],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[GroupTableQuery],
) -> Response[Any]:
    """Failures with the same cause together; `X-Total-Count` says how many groups there are."""
    state = GroupState(wanted.state) if wanted.state else None
    found, total = tables.group_rows(
        reports, wanted.filter(reports.catalog), wanted.limit, wanted.offset, state
    )
    headers = {TOTAL: str(total)}
    return rows(request, found, columns_of(schemas.GroupRow), wanted, headers)


class PlaceQuery(ReportQuery, frozen=True, kw_only=True):
    """Of which pipelines."""

    pipeline: Annotated[
        Values | None, Meta(description="Only of these pipelines: `a,b`, `{a,b}` or `(a|b)`.")
    ] = None
    limit: Limit = 100
    offset: Offset = 0


class SourceQuery(PlaceQuery, frozen=True, kw_only=True):
    """Which sources, a page at a time. `from` and `to` make no difference."""

    source: Annotated[Values | None, Meta(description="Only these sources.")] = None
    status: Annotated[Values | None, Meta(description="Only those whose latest run stands so.")] = (
        None
    )


@reads(
    "/api/report/sources",
    SourceQuery,
    summary="Sources as rows",
    operation_id="reportSources",
    content=flat(schemas.SourceRow, "How each source stands now, by name"),
)
def sources(
    reports: NamedDependency[Reports],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[SourceQuery],
) -> Response[Any]:
    """Every source that is configured or has stored runs or failures."""
    found = tables.source_rows(
        reports, values_of(wanted.pipeline), values_of(wanted.source), values_of(wanted.status)
    )
    page = found[wanted.offset : wanted.offset + wanted.limit]
    headers = {TOTAL: str(len(found))}
    return rows(request, page, columns_of(schemas.SourceRow), wanted, headers)


class CycleQuery(PlaceQuery, frozen=True, kw_only=True):
    """Which cycles, a page at a time."""

    outcome: Annotated[Values | None, Meta(description="Only those that ended so.")] = None


@reads(
    "/api/report/cycles",
    CycleQuery,
    summary="Cycles as rows",
    operation_id="reportCycles",
    content=flat(schemas.CycleRow, "Cycles, newest first"),
)
def cycles(
    reports: NamedDependency[Reports],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[CycleQuery],
) -> Response[Any]:
    """Sweeps over the sources of a pipeline, with what their runs came to."""
    now = reports.clock.now()
    span = Span.over(wanted.since or _FIRST, wanted.until, now, parameter)
    found = tables.cycle_rows(
        reports,
        span,
        wanted.limit,
        wanted.offset,
        values_of(wanted.pipeline),
        values_of(wanted.outcome),
    )
    return rows(request, found, columns_of(schemas.CycleRow), wanted)
