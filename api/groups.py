"""Failure groups: what has one cause, where it stands, and what people decide about it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter
from msgspec import Meta

from api.filters import CountCursor, FailureQuery, Limit, following, left_out
from api.known import require_known
from api.listed import Excel, ListFormat, a_list, listed
from api.query import Query, Time, bounded, one_of
from api.routes import commands, reads
from api.schemas import groups as schemas
from api.schemas.failures import FailureDetail
from daemon.clock import Clock
from daemon.errors import Conflict
from daemon.operations.groups import GroupOperations
from daemon.pipelines.catalog import Catalog
from daemon.store.database import Database
from daemon.store.failures import Failures
from daemon.store.filters import FailureFilter
from daemon.store.groups import Groups
from daemon.taxonomy import GroupDecision, GroupState

GroupInPath = Annotated[
    str,
    PathParameter(
        description="Id of the group; one that was merged into another stands for that one.",
        min_length=1,
        max_length=128,
    ),
]
Offset = Annotated[int, Meta(description="How many to leave out before these.", ge=0, le=1_000_000)]
GroupId = Annotated[str, Meta(min_length=1, max_length=128)]
Note = Annotated[
    str, Meta(description="Why, for others to read; it is masked. May be empty.", max_length=2000)
]
AsOf = Annotated[
    Time | None,
    Meta(
        description="The moment that is decided about, not in the future; now if not given. What "
        "occurred up to then does not undo the decision, however late it is recorded."
    ),
]


class GroupQuery(FailureQuery, frozen=True, kw_only=True):
    """Which failures to group, a page at a time."""

    state: Annotated[str | None, one_of(GroupState, "Only groups that, taken whole, stand so.")] = (
        None
    )
    limit: Limit = 20
    offset: Annotated[
        int, Meta(description="How many groups to leave out before these.", ge=0, le=1_000_000)
    ] = 0
    cursor: CountCursor = None
    format: ListFormat = None
    excel: Excel = False


@reads(
    "/api/failures/groups",
    GroupQuery,
    summary="Failures by cause",
    operation_id="listFailureGroups",
    content=a_list(schemas.FailureGroupList),
)
def list_groups(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    database: NamedDependency[Database],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[GroupQuery],
) -> Response[Any]:
    """Failures with the same cause together: what can be fixed, and then retried, at once."""
    require_known(wanted, catalog, database)
    now = clock.now()
    state = GroupState(wanted.state) if wanted.state else None
    start = left_out(wanted.cursor, wanted.offset)
    with database.read() as snapshot:
        found, total = Failures(snapshot).groups(
            wanted.filter(catalog), wanted.limit, start, now=now, state=state
        )
    after = following(start, len(found), total)
    answered = schemas.FailureGroupList(
        groups=[schemas.FailureGroup.of(group) for group in found],
        total_groups=total,
        next_offset=after,
        next_cursor=None if after is None else str(after),
        timestamp=now,
    )
    return listed(request, wanted, answered, answered.groups, schemas.FailureGroup)


class SourcesQuery(Query, frozen=True, kw_only=True):
    """Which of the affected sources."""

    limit: Limit = 20
    offset: Offset = 0
    cursor: CountCursor = None


@reads(
    "/api/failures/groups/{failure_group:str}",
    SourcesQuery,
    summary="One failure group",
    operation_id="getFailureGroup",
)
def get_group(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    database: NamedDependency[Database],
    failure_group: GroupInPath,
    wanted: NamedDependency[SourcesQuery],
) -> schemas.FailureGroupDetail:
    """The whole group: where it stands, its newest failure, and a page of the sources affected."""
    start = left_out(wanted.cursor, wanted.offset)
    return _detail(clock, catalog, database, failure_group, wanted.limit, start)


class Resolution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As of when a group is resolved, and why."""

    as_of: AsOf = None
    note: Note = ""


class Ignoring(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when and how long a group is ignored, and why."""

    as_of: AsOf = None
    until: Annotated[
        Time | None, Meta(description="When ignoring ends, in the future; never if not given.")
    ] = None
    note: Note = ""


class Reopening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a group is reopened."""

    note: Note = ""


class MergeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to merge."""

    failure_groups: Annotated[
        list[str],
        Meta(
            description="The groups that have the same cause as `into`.",
            min_length=1,
            max_length=100,
        ),
    ]
    into: Annotated[GroupId, Meta(description="The group that they are shown as from now on.")]


class SplitRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to split off: one of the two."""

    text: Annotated[
        str,
        Meta(description="Failures whose message holds this, to the letter.", max_length=400),
    ] = ""
    failure_ids: Annotated[
        list[int],
        Meta(
            description="Failures whose normalised message is that of one of these.",
            max_length=100,
        ),
    ] = []


@commands(
    "/api/failures/groups/{failure_group:str}/resolve",
    action="groups.resolve",
    status_code=200,
    summary="Resolve a group",
    operation_id="resolveFailureGroup",
)
def resolve(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    database: NamedDependency[Database],
    group_operations: NamedDependency[GroupOperations],
    by: NamedDependency[str],
    failure_group: GroupInPath,
    data: JSONBody[Resolution | None] = None,
) -> schemas.FailureGroupDetail:
    """Says that the cause is gone. What occurs after that makes the group `regressed`."""
    wanted = data or Resolution()
    return _detail(
        clock,
        catalog,
        database,
        group_operations.decide(
            failure_group,
            GroupDecision.RESOLVED,
            by,
            as_of=_bounded(wanted.as_of),
            note=wanted.note,
        ),
    )


@commands(
    "/api/failures/groups/{failure_group:str}/ignore",
    action="groups.ignore",
    status_code=200,
    summary="Ignore a group",
    operation_id="ignoreFailureGroup",
)
def ignore(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    database: NamedDependency[Database],
    group_operations: NamedDependency[GroupOperations],
    by: NamedDependency[str],
    failure_group: GroupInPath,
    data: JSONBody[Ignoring | None] = None,
) -> schemas.FailureGroupDetail:
    """Leaves a group alone, whatever occurs in it: for good, or until a time."""
    wanted = data or Ignoring()
    return _detail(
        clock,
        catalog,
        database,
        group_operations.decide(
            failure_group,
            GroupDecision.IGNORED,
            by,
            as_of=_bounded(wanted.as_of),
            until=_bounded(wanted.until),
            note=wanted.note,
        ),
    )


@commands(
    "/api/failures/groups/{failure_group:str}/reopen",
    action="groups.reopen",
    status_code=200,
    summary="Reopen a group",
    operation_id="reopenFailureGroup",
)
def reopen(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    database: NamedDependency[Database],
    group_operations: NamedDependency[GroupOperations],
    by: NamedDependency[str],
    failure_group: GroupInPath,
    data: JSONBody[Reopening | None] = None,
) -> schemas.FailureGroupDetail:
    """Takes a decision back: the group stands as its failures do."""
    note = data.note if data else ""
    return _detail(
        clock,
        catalog,
        database,
        group_operations.decide(failure_group, GroupDecision.REOPENED, by, note=note),
    )


@commands(
    "/api/failures/groups/merge",
    404,
    action="groups.merge",
    status_code=200,
    summary="Merge groups",
    operation_id="mergeFailureGroups",
)
def merge(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    database: NamedDependency[Database],
    group_operations: NamedDependency[GroupOperations],
    by: NamedDependency[str],
    data: JSONBody[MergeRequest],
) -> schemas.FailureGroupDetail:
    """Shows groups as part of another, with what happens in them later too."""
    return _detail(
        clock, catalog, database, group_operations.merge(data.failure_groups, data.into, by)
    )


@commands(
    "/api/failures/groups/{failure_group:str}/unmerge",
    action="groups.unmerge",
    status_code=200,
    summary="Undo a merge",
    operation_id="unmergeFailureGroup",
)
def unmerge(
    clock: NamedDependency[Clock],
    group_operations: NamedDependency[GroupOperations],
    by: NamedDependency[str],
    failure_group: GroupInPath,
) -> schemas.GroupsUnmerged:
    """Takes a merged group out again, or out of a group all that were merged into it."""
    freed = group_operations.unmerge(failure_group, by)
    return schemas.GroupsUnmerged(failure_groups=freed, timestamp=clock.now())


@commands(
    "/api/failures/groups/{failure_group:str}/split",
    action="groups.split",
    status_code=200,
    summary="Split a group",
    operation_id="splitFailureGroup",
)
def split(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    database: NamedDependency[Database],
    group_operations: NamedDependency[GroupOperations],
    by: NamedDependency[str],
    failure_group: GroupInPath,
    data: JSONBody[SplitRequest],
) -> schemas.FailureGroupDetail:
    """Makes a group of some of the failures, and of later ones like them. Answers with that group."""
    if bool(data.text) == bool(data.failure_ids):
        raise Conflict("say what to split off: expected one of the fields text and failure_ids")
    if data.text:
        new = group_operations.split_by_text(failure_group, data.text, by)
    else:
        new = group_operations.split_by_failures(failure_group, data.failure_ids, by)
    return _detail(clock, catalog, database, new)


def _bounded(value: datetime | None) -> datetime | None:
    return None if value is None else bounded(value)


def _detail(
    clock: Clock, catalog: Catalog, database: Database, group: str, limit: int = 20, offset: int = 0
) -> schemas.FailureGroupDetail:
    now = clock.now()
    with database.read() as snapshot:
        found = Groups(snapshot).get(group, now)
        shown = found.record.failure_group
        sources, total = Groups(snapshot).sources(shown, limit, offset)
        newest = Failures(snapshot).page(FailureFilter(failure_group=shown), 1).failures[0]
    after = following(offset, len(sources), total)
    return schemas.FailureGroupDetail(
        **schemas.fields_of(found),
        retryable_share=found.record.retryable_count / found.record.count,
        sample=FailureDetail.of(newest, catalog),
        affected_sources=[schemas.AffectedSource.of(source) for source in sources],
        total_sources=total,
        next_offset=after,
        next_cursor=None if after is None else str(after),
        timestamp=now,
    )
