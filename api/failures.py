"""Failures: pages of them, one, and their trends."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import PathParameter
from msgspec import Meta

from api.filters import FailurePageQuery, FailureQuery
from api.known import require_known
from api.listed import a_list, listed
from api.routes import reads
from api.schemas import groups as schemas
from api.schemas.failures import FailureDetail, FailureList
from daemon.clock import Clock
from daemon.pipelines.catalog import Catalog
from daemon.store.database import Database
from daemon.store.failures import Failures, answer

_STEPS: dict[schemas.Interval, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_USUAL: dict[schemas.Interval, timedelta] = {"hour": timedelta(days=1), "day": timedelta(days=30)}
_LONGEST_BY_HOUR = timedelta(days=31)
_MOST_SERIES = 100


def _list_failures(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    database: NamedDependency[Database],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[FailurePageQuery],
) -> Response[Any]:
    """Every stored failure that matches can be reached, however old it is."""
    require_known(wanted, catalog, database)
    chosen = wanted.filter(catalog)
    page = answer(database, chosen, wanted.limit, wanted.cursor)
    answered = FailureList(
        failures=[FailureDetail.of(record, catalog) for record in page.failures],
        total_failures=page.total,
        next_cursor=page.next_cursor,
        timestamp=clock.now(),
    )
    return listed(request, wanted, answered, answered.failures, FailureDetail)


list_failures, list_processing_failures = (
    reads(
        path,
        FailurePageQuery,
        summary="Failures, newest first",
        operation_id=operation,
        content=a_list(FailureList),
    )(_list_failures)
    for path, operation in (
        ("/api/failures", "listFailures"),
        ("/api/processing/failures", "listProcessingFailures"),
    )
)


@reads("/api/failures/{failure_id:int}", summary="One failure", operation_id="getFailure")
def get_failure(
    catalog: NamedDependency[Catalog],
    failures: NamedDependency[Failures],
    failure_id: Annotated[
        int, PathParameter(description="Id of the failure.", ge=1, le=9_007_199_254_740_991)
    ],
) -> FailureDetail:
    """What failed, why, and what to do about it."""
    return FailureDetail.of(failures.get(failure_id), catalog)


class TrendQuery(FailureQuery, frozen=True, kw_only=True):
    """Which failures, and how to count them."""

    interval: Annotated[
        schemas.Interval,
        Meta(
            description="Length of a stretch. By the hour the last 31 days before `until` are looked "
            "at, even if `since` is earlier. Without `since`, 24 hours by the hour and 30 days by "
            "the day."
        ),
    ] = "day"
    by: Annotated[schemas.TrendKey, Meta(description="What makes a series.")] = "category"


@reads(
    "/api/failures/trends",
    TrendQuery,
    summary="Failures over time",
    operation_id="getFailureTrends",
)
def failure_trends(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    database: NamedDependency[Database],
    failures: NamedDependency[Failures],
    wanted: NamedDependency[TrendQuery],
) -> schemas.FailureTrends:
    """Failures by hour or day, one series for each category, pipeline, source, status or group."""
    require_known(wanted, catalog, database)
    until = wanted.until or clock.now()
    since = _start(wanted, until)
    chosen = msgspec.structs.replace(wanted.filter(catalog), since=since)
    points = failures.trends(chosen, wanted.by, _STEPS[wanted.interval], _MOST_SERIES)
    return schemas.FailureTrends(
        interval=wanted.interval,
        by=wanted.by,
        since=since,
        until=until,
        series=schemas.TrendSeries.gather(points),
        timestamp=clock.now(),
    )


def _start(wanted: TrendQuery, until: datetime) -> datetime:
    since = wanted.since or until - _USUAL[wanted.interval]
    return since if wanted.interval == "day" else max(since, until - _LONGEST_BY_HOUR)
