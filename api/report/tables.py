"""Rows of reports, whoever asks for them: failures, runs, groups, sources, cycles."""

from __future__ import annotations

from typing import NamedTuple

from api.report.reports import Reports
from api.report.span import Span
from api.runs import describe
from api.schemas import report as schemas
from api.schemas.failures import FailureDetail, FailureRow
from daemon.store import report_tables
from daemon.store.failures import Answer, Failures
from daemon.store.filters import FailureFilter
from daemon.store.reading import Need
from daemon.store.report_conditions import check_patterns
from daemon.store.runs import RunFilter
from daemon.taxonomy import GroupState


class FailureRows(NamedTuple):
    """Some failures, newest first, and how many match."""

    rows: list[FailureRow]
    total: int


def failure_rows(
    reports: Reports, f: FailureFilter, limit: int, cursor: str = "", offset: int = 0
) -> FailureRows:
    """Failures that match, after `cursor` or after `offset` of them."""
    with reports.database.read(Need.REPORT) as reader:
        failures = Failures(reader)
        page: Answer = (
            failures.answer(f, limit, cursor) if cursor else failures.answer_at(f, limit, offset)
        )
    details = [FailureDetail.of(record, reports.catalog) for record in page.failures]
    cursors = _cursors(len(details), page.next_cursor)
    return FailureRows(list(map(FailureRow.of, details, cursors)), page.total)


class RunRows(NamedTuple):
    """Some runs, newest first, and how many match."""

    rows: list[schemas.RunRow]
    total: int


def run_rows(
    reports: Reports, f: RunFilter, limit: int, cursor: str = "", offset: int = 0
) -> RunRows:
    """Runs that match, after `cursor` and after `offset` more."""
    check_patterns(reports.database.read(), f.conditions)
    page = reports.runs.page(f, limit, cursor or None, offset)
    details = describe(reports.catalog, reports.live, page.runs)
    cursors = _cursors(len(details), page.next_cursor)
    return RunRows(list(map(schemas.RunRow.of, details, cursors)), reports.runs.total(f))


def _cursors(rows: int, last: str | None) -> list[str]:
    return [""] * (rows - 1) + [last or ""]


def group_rows(
    reports: Reports,
    f: FailureFilter,
    limit: int,
    offset: int = 0,
    state: GroupState | None = None,
) -> tuple[list[schemas.GroupRow], int]:
    """Groups of failures that match, most open ones first, and how many groups there are."""
    with reports.database.read(Need.REPORT) as reader:
        found, total = Failures(reader).groups(
            f, limit, offset, now=reports.clock.now(), state=state
        )
    return [schemas.GroupRow.of(group) for group in found], total


def source_rows(
    reports: Reports,
    pipelines: tuple[str, ...] | None = None,
    sources: tuple[str, ...] | None = None,
    statuses: tuple[str, ...] | None = None,
) -> list[schemas.SourceRow]:
    """All sources that are configured or have stored runs or failures, by name."""
    with reports.database.read(Need.REPORT) as reader:
        latest = report_tables.latest_runs(reader)
    failed = [(standing.pipeline, standing.source) for standing in reports.standings.all()]
    configured = [
        (pipeline.name, source)
        for pipeline in reports.catalog.pipelines.values()
        for source in pipeline.sources
    ]
    rows = (
        _source(reports, pipeline, source, latest.get((pipeline, source)))
        for pipeline, source in sorted({*latest, *failed, *configured})
        if (pipelines is None or pipeline in pipelines) and (sources is None or source in sources)
    )
    return [row for row in rows if statuses is None or row.last_status in statuses]


def _source(
    reports: Reports, pipeline: str, source: str, latest: report_tables.LatestRun | None
) -> schemas.SourceRow:
    standing = reports.standings.of(pipeline, source)
    return schemas.SourceRow.of(standing, latest, reports.catalog.find(pipeline, source))


def cycle_rows(
    reports: Reports,
    span: Span,
    limit: int,
    offset: int = 0,
    pipelines: tuple[str, ...] | None = None,
    outcomes: tuple[str, ...] | None = None,
) -> list[schemas.CycleRow]:
    """Cycles that began in that time, newest first."""
    with reports.database.read(Need.REPORT) as reader:
        found = report_tables.cycles(
            reader, *span, limit, offset, pipelines=pipelines, outcomes=outcomes
        )
    return [schemas.CycleRow.of(row) for row in found]
