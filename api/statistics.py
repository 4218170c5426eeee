"""What runs came to: per source and together, over any stretch of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

from litestar.di import NamedDependency
from msgspec import Meta

from api.known import require_known
from api.query import Name, Query, When
from api.routes import reads
from api.schemas.standing import CategoryCount, StandingDetail
from api.schemas.statistics import Outcomes, SourceStatistics, Statistics
from daemon.clock import Clock
from daemon.pipelines.catalog import Catalog
from daemon.standing import SourceStanding, Standings
from daemon.store import runs as stored
from daemon.store.database import Database
from daemon.store.failures import Failures
from daemon.store.filters import FailureFilter
from daemon.store.runs import Runs
from daemon.taxonomy import Category

DAY = timedelta(days=1)

SourceKey = tuple[str, str]


class StatisticsQuery(Query, frozen=True, kw_only=True):
    """Which runs."""

    since: Annotated[
        When | None,
        Meta(description="Only from this time on; 24 hours before `until` if not given."),
    ] = None
    until: Annotated[When | None, Meta(description="Only before this time; now if not given.")] = (
        None
    )
    pipeline: Annotated[Name | None, Meta(description="Only of this pipeline.")] = None
    source: Annotated[Name | None, Meta(description="Only of this source.")] = None


@reads(
    "/api/processing/statistics",
    StatisticsQuery,
    summary="What runs came to",
    operation_id="getStatistics",
)
def statistics(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    failures: NamedDependency[Failures],
    runs: NamedDependency[Runs],
    standings: NamedDependency[Standings],
    database: NamedDependency[Database],
    wanted: NamedDependency[StatisticsQuery],
) -> Statistics:
    """Outcomes, success rate, durations and failures by category, of each source and together."""
    require_known(wanted, catalog, database)
    return make_statistics(clock, catalog, failures, runs, standings, wanted)


def make_statistics(
    clock: Clock,
    catalog: Catalog,
    failures: Failures,
    runs: Runs,
    standings: Standings,
    wanted: StatisticsQuery,
) -> Statistics:
    """The statistics of all sources, of those of a pipeline, or of one."""
    until = wanted.until or clock.now()
    since = wanted.since or until - DAY
    ran = [
        record
        for record in runs.statistics(since, wanted.until)
        if wanted.pipeline in (None, record.pipeline) and wanted.source in (None, record.source)
    ]
    failed = _failures_by_source(failures, wanted, since)
    return Statistics(
        since=since,
        until=until,
        totals=_totals(ran, failed.values()),
        sources=[
            _of_source(
                record,
                failed.get((record.pipeline, record.source), Counter()),
                catalog,
                standings.of(record.pipeline, record.source),
            )
            for record in ran
        ],
        timestamp=clock.now(),
    )


def _failures_by_source(
    failures: Failures, wanted: StatisticsQuery, since: datetime
) -> dict[SourceKey, Counter[str]]:
    chosen = FailureFilter(
        since=since, until=wanted.until, pipeline=wanted.pipeline, source=wanted.source
    )
    found: dict[SourceKey, Counter[str]] = {}
    for counted in failures.by_source(chosen):
        counts = found.setdefault((counted.pipeline, counted.source), Counter())
        counts[counted.category] = counted.count
    return found


def _of_source(
    record: stored.SourceOutcomes,
    failures: Counter[str],
    catalog: Catalog,
    standing: SourceStanding,
) -> SourceStatistics:
    return SourceStatistics(
        pipeline=record.pipeline,
        source=record.source,
        email_address=catalog.email_address(record.pipeline, record.source),
        runs=record.runs,
        success=record.success,
        partial=record.partial,
        failed=record.failed,
        interrupted=record.interrupted,
        cancelled=record.cancelled,
        success_rate=_success_rate(record.success, record.partial, record.failed),
        items_succeeded=record.items_succeeded,
        items_failed=record.items_failed,
        items_skipped=record.items_skipped,
        average_seconds=record.average_seconds,
        median_seconds=record.median_seconds,
        p95_seconds=record.p95_seconds,
        last_run_at=record.last_run_at,
        last_success_at=record.last_success_at,
        failures_by_category=_by_category(failures),
        standing=StandingDetail.of(standing),
    )


def _totals(ran: list[stored.SourceOutcomes], failures: Iterable[Counter[str]]) -> Outcomes:
    def total(name: str) -> int:
        return sum(getattr(record, name) for record in ran)

    return Outcomes(
        runs=total("runs"),
        success=total("success"),
        partial=total("partial"),
        failed=total("failed"),
        interrupted=total("interrupted"),
        cancelled=total("cancelled"),
        success_rate=_success_rate(total("success"), total("partial"), total("failed")),
        items_succeeded=total("items_succeeded"),
        items_failed=total("items_failed"),
        items_skipped=total("items_skipped"),
        average_seconds=_mean(ran),
        failures_by_category=_by_category(sum(failures, Counter())),
    )


def _success_rate(success: int, partial: int, failed: int) -> float | None:
    ended = success + partial + failed
    return success / ended if ended else None


def _mean(ran: list[stored.SourceOutcomes]) -> float | None:
    """The mean over all runs, from those of the sources and how many runs each had."""
    timed = [(r.average_seconds, _ended(r)) for r in ran if r.average_seconds is not None]
    ended = sum(n for _, n in timed)
    return sum(mean * n for mean, n in timed) / ended if ended else None


def _ended(record: stored.SourceOutcomes) -> int:
    return record.success + record.partial + record.failed + record.interrupted + record.cancelled


def _by_category(counts: Counter[str]) -> list[CategoryCount]:
    return [
        CategoryCount(category=Category(category), count=count)
        for category, count in counts.most_common()
    ]
