"""The series, marks and variables of reports over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from msgspec import Meta

from api.listed import columns_of
from api.problems import BadRequest
from api.query import one_of
from api.report import series
from api.report.answers import rows
from api.report.choices import Blame, values_of
from api.report.endpoints import flat
from api.report.filters import (
    FailureSeriesQuery,
    Limit,
    ReportQuery,
    RunSeriesQuery,
    Values,
    dimensions,
    grid_for,
    parameter,
)
from api.report.reports import Reports
from api.report.span import Span
from api.routes import reads
from api.schemas import report as schemas
from api.schemas.fields import Given
from daemon.store import report_annotations
from daemon.store.reading import Need
from daemon.store.report_annotations import MarkKind
from daemon.store.report_conditions import Dimension
from daemon.store.report_series import SeriesAnswer
from daemon.store.report_values import ShownValue, values
from daemon.taxonomy import RunStatus


def _said(answer: SeriesAnswer) -> dict[str, str]:
    return {
        "x-report-interval-seconds": f"{answer.grid.step.total_seconds():g}",
        "x-report-other-series": str(answer.others),
    }


@reads(
    "/api/report/failures/series",
    FailureSeriesQuery,
    summary="Failures over time",
    operation_id="reportFailureSeries",
    content=flat(schemas.FailurePoint, "Points of all series, zeros included"),
)
def failure_series(
    reports: NamedDependency[Reports],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[FailureSeriesQuery],
) -> Response[Any]:
    """Counts by any dimensions. `X-Report-Other-Series` says how many `other` stands for."""
    span = wanted.span(reports.clock.now())
    by, grid = dimensions(wanted.by, series.FAILURE_DIMENSIONS, parameter), grid_for(wanted, span)
    chosen = msgspec.structs.replace(
        wanted.filter(reports.catalog), since=span.since, until=span.until
    )
    answer = series.count_failures(reports, chosen, by, grid, wanted.series)
    columns = ("time", "series", *by, "count")
    return rows(request, series.failure_points(answer, by), columns, wanted, _said(answer))


def _runs(reports: Reports, wanted: RunSeriesQuery) -> tuple[SeriesAnswer, list[Dimension]]:
    span = wanted.span(reports.clock.now())
    by, grid = dimensions(wanted.by, series.RUN_DIMENSIONS, parameter), grid_for(wanted, span)
    chosen = msgspec.structs.replace(wanted.filter(), since=span.since, until=span.until)
    return series.count_runs(reports, chosen, by, grid, wanted.series), by


@reads(
    "/api/report/runs/series",
    RunSeriesQuery,
    summary="Runs over time",
    operation_id="reportRunSeries",
    content=flat(schemas.RunPoint, "Points of all series, zeros included"),
)
def run_series(
    reports: NamedDependency[Reports],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[RunSeriesQuery],
) -> Response[Any]:
    """How many runs began, how long they took, and what became of their items."""
    answer, by = _runs(reports, wanted)
    columns = ("time", "series", *by, *schemas.RUN_FIGURES)
    return rows(request, series.run_points(answer, by), columns, wanted, _said(answer))


@reads(
    "/api/report/items/series",
    RunSeriesQuery,
    summary="Items over time by outcome",
    operation_id="reportItemSeries",
    content=flat(schemas.ItemPoint, "Points of all series, zeros included"),
)
def item_series(
    reports: NamedDependency[Reports],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[RunSeriesQuery],
) -> Response[Any]:
    """Items of the runs that began in each stretch: succeeded, failed, skipped."""
    answer, by = _runs(reports, wanted)
    columns = ("time", "series", *by, "outcome", "count")
    return rows(request, series.item_points(answer, by), columns, wanted, _said(answer))


class MarkQuery(ReportQuery, frozen=True, kw_only=True):
    """Which marks."""

    kind: Annotated[
        Values | None, Meta(description=f"Only of these kinds, of {', '.join(MarkKind)}.")
    ] = None
    pipeline: Annotated[Values | None, Meta(description="Only about these pipelines.")] = None
    source: Annotated[Values | None, Meta(description="Only about these sources.")] = None
    limit: Limit = 100


@reads(
    "/api/report/annotations",
    MarkQuery,
    summary="Marks for graphs",
    operation_id="reportAnnotations",
    content=flat(schemas.AnnotationRow, "Marks, newest first"),
)
def annotations_of(
    reports: NamedDependency[Reports],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[MarkQuery],
) -> Response[Any]:
    """Failed runs, decisions about groups, retries by hand and paused pipelines."""
    found = marks(
        reports,
        wanted.span(reports.clock.now()),
        wanted.limit,
        (wanted.kind, wanted.pipeline, wanted.source),
        parameter,
    )
    return rows(request, found, columns_of(schemas.AnnotationRow), wanted)


def marks(
    reports: Reports, span: Span, limit: int, chosen: tuple[Given, Given, Given], blame: Blame
) -> list[schemas.AnnotationRow]:
    """Marks of the kinds, pipelines and sources that were chosen. Raises `BadRequest`."""
    kinds, pipelines, sources = map(values_of, chosen)
    if not set(kinds or ()) <= set(MarkKind):
        raise BadRequest([blame(f"values among {', '.join(MarkKind)}", "kind")])
    with reports.database.read(Need.REPORT) as reader:
        found = report_annotations.marks(
            reader,
            *span,
            limit,
            kinds=tuple(map(MarkKind, kinds)) if kinds else tuple(MarkKind),
            pipelines=pipelines,
            sources=sources,
        )
    return [schemas.AnnotationRow.of(mark) for mark in found]


RUN_STATUS = "run_status"
VARIABLES = (*(dimension.value for dimension in Dimension), RUN_STATUS)
"""What has values to choose from."""


class VariableQuery(ReportQuery, frozen=True, kw_only=True):
    """What a variable offers. `from` and `to` make no difference."""

    of: Annotated[str, one_of(VARIABLES, "The column whose values are wanted.")]
    pipeline: Annotated[Values | None, Meta(description="Only those of these pipelines.")] = None


@reads(
    "/api/report/variables",
    VariableQuery,
    summary="Values for a dashboard's variable",
    operation_id="reportVariables",
    content=flat(schemas.VariableValue, "Values, at most 1,000"),
)
def variables(
    reports: NamedDependency[Reports],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[VariableQuery],
) -> Response[Any]:
    """Pipelines, sources, categories, groups, statuses and what else failures are filtered by."""
    found = variable_values(reports, wanted.of, wanted.pipeline)
    listed = [schemas.VariableValue.of(value) for value in found]
    return rows(request, listed, columns_of(schemas.VariableValue), wanted)


def variable_values(reports: Reports, name: str, pipeline: Given = None) -> list[ShownValue]:
    """The values of one of the `VARIABLES`, of some pipelines or of all."""
    if name == RUN_STATUS:
        return [ShownValue(status.value, status.value) for status in RunStatus]
    configured = {p.name: list(p.sources) for p in reports.catalog.pipelines.values()}
    with reports.database.read(Need.REPORT) as reader:
        return values(reader, Dimension(name), pipelines=values_of(pipeline), configured=configured)
