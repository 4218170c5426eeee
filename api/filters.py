"""The filters that endpoints share: their parameters, and the filters of the store they become."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.listed import Excel, ListFormat
from api.query import Name, Path, Query, Since, Text, Until, one_of
from daemon.pipelines.catalog import Catalog
from daemon.store.filters import FailureFilter
from daemon.store.runs import RunFilter
from daemon.taxonomy import CATEGORY_ALIASES, Category, FailureStatus, Group, RunStatus

Accounts = tuple[tuple[str, str], ...] | None


class Scope(Query, frozen=True, kw_only=True):
    """What failures and runs are filtered by alike."""

    email_address: Annotated[
        Text | None,
        Meta(description="Only of the accounts with this address, in any case."),
    ] = None
    pipeline: Annotated[Name | None, Meta(description="Only of this pipeline.")] = None
    source: Annotated[Name | None, Meta(description="Only of this source.")] = None
    category: Annotated[
        str | None,
        one_of([*Category, *CATEGORY_ALIASES], "Only of this category, or its older name."),
    ] = None
    group: Annotated[str | None, one_of(Group, "Only of the categories of this group.")] = None
    since: Since = None
    until: Until = None
    q: Annotated[
        Text | None,
        Meta(description="Only with this text in the message, the advice, the source or the item."),
    ] = None

    def accounts(self, catalog: Catalog) -> Accounts:
        """Pipeline and source of the accounts that `email_address` belongs to."""
        return catalog.accounts(self.email_address) if self.email_address else None

    def stored_category(self) -> str | None:
        """The category by the name that is stored."""
        return CATEGORY_ALIASES.get(self.category or "", self.category)


class FailureQuery(Scope, frozen=True, kw_only=True):
    """Which failures."""

    retryable: Annotated[
        bool | None, Meta(description="Only those that a retry may help, or only the others.")
    ] = None
    status: Annotated[
        str | None, one_of(FailureStatus, "Only those that stand so in their handling.")
    ] = None
    run_id: Annotated[Name | None, Meta(description="Only of this run.")] = None
    failure_group: Annotated[
        Name | None,
        Meta(description="Only of this group of the same cause."),
    ] = None

    def filter(self, catalog: Catalog) -> FailureFilter:
        """The filter of the store."""
        return FailureFilter(
            pipeline=self.pipeline,
            source=self.source,
            category=self.stored_category(),
            group=self.group,
            retryable=self.retryable,
            status=self.status,
            since=self.since,
            until=self.until,
            q=self.q,
            run_id=self.run_id,
            failure_group=self.failure_group,
            accounts=self.accounts(catalog),
        )


class RunQuery(Scope, frozen=True, kw_only=True):
    """Which runs."""

    status: Annotated[str | None, one_of(RunStatus, "Only those that ended (or stand) so.")] = None

    include_idle: Annotated[
        bool | None,
        Meta(
            description="Whether to list every run in which nothing succeeded and nothing failed, since there was nothing "
            "to do but for what is known to be broken. Without them there is the last one of each source whose latest runs "
            "were so, as far as others leave room. Not given: `/api/runs` has them, `/api/processing/history` not."
        ),
    ] = None

    def filter(self, catalog: Catalog, *, ended: bool | None = None) -> RunFilter:
        """The filter of the store."""
        return RunFilter(
            pipeline=self.pipeline,
            source=self.source,
            status=self.status,
            category=self.stored_category(),
            group=self.group,
            since=self.since,
            until=self.until,
            q=self.q,
            ended=ended,
            accounts=self.accounts(catalog),
        )


Limit = Annotated[int, Meta(description="How many at most.", ge=1, le=100)]
_CURSOR = Meta(description="The `next_cursor` of the answer before, for what comes after it.")
CURSOR = "the `next_cursor` of an earlier answer"

FailureCursor = Annotated[
    Annotated[str, Meta(title=CURSOR, pattern=r"^[0-9]{1,16}\.[0-9]{1,18}$")] | None, _CURSOR
]
RunCursor = Annotated[
    Annotated[str, Meta(title=CURSOR, pattern=r"^[0-9]{8}T[0-9]{9}-[0-9a-f]{8}$")] | None,
    _CURSOR,
]
PathCursor = Annotated[Path | None, _CURSOR]
CountCursor = Annotated[Annotated[str, Meta(title=CURSOR, pattern=r"^[0-9]{1,6}$")] | None, _CURSOR]
"""Of lists in an order of counts, which has no place to mark: how many came before."""


def following(start: int, shown: int, total: int) -> int | None:
    """Where the page after one of `shown` entries begins; None after the last."""
    end = start + shown
    return end if shown and end < total else None


def left_out(cursor: str | None, offset: int) -> int:
    """How many a page leaves out before it: a cursor decides, where there is one."""
    return offset if cursor is None else int(cursor)


class FailurePageQuery(FailureQuery, frozen=True, kw_only=True):
    """Which failures, a page at a time."""

    limit: Limit = 10
    cursor: FailureCursor = None
    format: ListFormat = None
    excel: Excel = False


class RunPageQuery(RunQuery, frozen=True, kw_only=True):
    """Which runs, a page at a time."""

    limit: Limit = 20
    cursor: RunCursor = None
    format: ListFormat = None
    excel: Excel = False
