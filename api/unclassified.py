"""What no rule recognised, for those who write rules."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response
from litestar.di import NamedDependency
from msgspec import Meta

from api.filters import CountCursor, Limit, left_out
from api.known import require_known
from api.listed import Excel, ListFormat, a_list, listed
from api.query import Name, Query, When
from api.routes import reads
from api.schemas.unclassified import UnclassifiedGroup, UnclassifiedList
from daemon.clock import Clock
from daemon.pipelines.catalog import Catalog
from daemon.store.database import Database
from daemon.store.filters import FailureFilter
from daemon.store.unmatched import Unmatched
from daemon.taxonomy import Category


class UnclassifiedQuery(Query, frozen=True, kw_only=True):
    """Which failures that no rule recognised, a page of groups at a time."""

    pipeline: Annotated[Name | None, Meta(description="Only of this pipeline.")] = None
    since: Annotated[
        When | None,
        Meta(
            description="Only from this time on: with its offset or in UTC, a day, or how long ago (2h, 7d)."
        ),
    ] = None
    until: Annotated[
        When | None, Meta(description="Only before this time, in the same notations.")
    ] = None
    limit: Limit = 20
    offset: Annotated[
        int, Meta(description="How many groups to leave out before these.", ge=0, le=1_000_000)
    ] = 0
    cursor: CountCursor = None
    format: ListFormat = None
    excel: Excel = False


@reads(
    "/api/failures/unclassified",
    UnclassifiedQuery,
    summary="Failures that no rule recognised, each group with a rule to start from",
    operation_id="listUnclassifiedFailures",
    content=a_list(UnclassifiedList),
)
def list_unclassified(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    database: NamedDependency[Database],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[UnclassifiedQuery],
) -> Response[Any]:
    """What to write a rule for next."""
    require_known(wanted, catalog, database)
    chosen = FailureFilter(
        pipeline=wanted.pipeline,
        category=Category.UNKNOWN,
        since=wanted.since,
        until=wanted.until,
    )
    start = left_out(wanted.cursor, wanted.offset)
    found, total = Unmatched(database.read()).groups(chosen, wanted.limit, start)
    end = start + len(found)
    following = end if found and end < total else None
    answered = UnclassifiedList(
        groups=[UnclassifiedGroup.of(group) for group in found],
        total_groups=total,
        next_offset=following,
        next_cursor=None if following is None else str(following),
        timestamp=clock.now(),
    )
    return listed(request, wanted, answered, answered.groups, UnclassifiedGroup)
