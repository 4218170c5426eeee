"""What goes on right now, and whether anything failed."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from litestar.di import NamedDependency
from msgspec import Meta

from api.query import Query
from api.routes import reads
from api.runs import RunLister
from api.schemas.failures import FailureDetail
from api.schemas.queued import Queued
from api.schemas.standing import FailingSource
from api.schemas.status import CurrentRun, CurrentStatus, FailureSummary, ProcessingStatus
from api.statistics import StatisticsQuery, make_statistics
from daemon.clock import Clock
from daemon.config import Settings
from daemon.idle_runs import IdleRuns
from daemon.live import Live
from daemon.pipelines.catalog import Catalog
from daemon.standing import Standings
from daemon.store.failures import Failures
from daemon.store.filters import FailureFilter
from daemon.store.runs import Runs
from daemon.taxonomy import FailureStatus
from daemon.work.queue import WorkQueue

RECENT = timedelta(hours=24)
LISTED_SOURCES = 50


class CurrentStatusQuery(Query, frozen=True, kw_only=True):
    """What to tell besides what goes on."""

    include_recent: Annotated[bool, Meta(description="Whether to list recent runs.")] = True
    recent_limit: Annotated[int, Meta(description="How many recent runs at most.", ge=1, le=50)] = 5
    include_stats: Annotated[
        bool, Meta(description="Whether to add the statistics of the last 24 hours.")
    ] = False
    include_failure_summary: Annotated[
        bool, Meta(description="Whether to add the failures at a glance.")
    ] = True


@reads(
    "/api/processing/current-status",
    CurrentStatusQuery,
    summary="The current status",
    operation_id="getCurrentStatus",
)
def current_status(
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    failures: NamedDependency[Failures],
    runs: NamedDependency[Runs],
    live: NamedDependency[Live],
    queue: NamedDependency[WorkQueue],
    standings: NamedDependency[Standings],
    idle_runs: NamedDependency[IdleRuns],
    wanted: NamedDependency[CurrentStatusQuery],
) -> CurrentStatus:
    """What is being processed, what was processed lately, and whether anything failed."""
    active = active_runs(catalog, live)
    failing = failing_sources(clock, catalog, standings)
    return CurrentStatus(
        is_processing=bool(active),
        current_status=active[0] if active else None,
        active=active,
        failure_summary=summarise(clock, catalog, failures)
        if wanted.include_failure_summary
        else None,
        websocket_available=_websocket(settings),
        queued=Queued.of(queue.waiting()),
        failing_sources=len(failing),
        failing=failing[:LISTED_SOURCES],
        timestamp=clock.now(),
        recent_runs=(
            RunLister(catalog, runs, live, idle_runs).newest(wanted.recent_limit)
            if wanted.include_recent
            else []
        ),
        statistics=make_statistics(clock, catalog, failures, runs, standings, StatisticsQuery())
        if wanted.include_stats
        else None,
    )


@reads("/api/processing/status", summary="The status, for those who poll", operation_id="getStatus")
def status(
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    failures: NamedDependency[Failures],
    live: NamedDependency[Live],
    queue: NamedDependency[WorkQueue],
    standings: NamedDependency[Standings],
) -> ProcessingStatus:
    """What is being processed and whether anything failed: cheap enough to ask every second."""
    active = active_runs(catalog, live)
    failing = failing_sources(clock, catalog, standings)
    return ProcessingStatus(
        is_processing=bool(active),
        current_status=active[0] if active else None,
        active=active,
        failure_summary=summarise(clock, catalog, failures),
        websocket_available=_websocket(settings),
        queued=Queued.of(queue.waiting()),
        failing_sources=len(failing),
        failing=failing[:LISTED_SOURCES],
        timestamp=clock.now(),
    )


def _websocket(settings: Settings) -> bool:
    return settings.config.server.websocket_connections > 0


def active_runs(catalog: Catalog, live: Live) -> list[CurrentRun]:
    """All runs under way, most recently updated first."""
    return [CurrentRun.of(run, catalog) for run in live.active()]


def failing_sources(clock: Clock, catalog: Catalog, standings: Standings) -> list[FailingSource]:
    """All sources that fail, those that have failed longest first."""
    failing = [standing for standing in standings.all() if standing.failing]
    failing.sort(key=lambda standing: standing.failing_since or clock.now())
    return [FailingSource.of_catalog(standing, catalog) for standing in failing]


def summarise(clock: Clock, catalog: Catalog, failures: Failures) -> FailureSummary:
    """The failures at a glance."""
    newest = failures.page(FailureFilter(), 1).failures
    return FailureSummary(
        has_recent_failures=any(f.error_time > clock.now() - RECENT for f in newest),
        failure_count=failures.total(FailureFilter(status=FailureStatus.OPEN)),
        most_recent_failure=FailureDetail.of(newest[0], catalog) if newest else None,
    )
