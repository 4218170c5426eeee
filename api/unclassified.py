"""What no rule recognised, for those who write rules."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response
from litestar.di import NamedDependency
from msgspec import Meta

from api.filters import CountCursor, Limit, following, left_out
from api.known import require_known
from api.listed import Excel, ListFormat, a_list, listed
from api.query import Name, Query, Since, Until
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
    since: Since = None
    until: Until = None
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
    after = following(start, len(found), total)
    answered = UnclassifiedList(
        groups=[UnclassifiedGroup.of(group) for group in found],
        total_groups=total,
        next_offset=after,
        next_cursor=None if after is None else str(after),
        timestamp=clock.now(),
    )
    return listed(request, wanted, answered, answered.groups, UnclassifiedGroup)
