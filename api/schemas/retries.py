"""Retry operations: what was asked for, how far it is, and what it failed on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from api.schemas import fields
from daemon.operations.retries.requests import RetryRequest
from daemon.pipelines.catalog import Catalog
from daemon.store import retries as stored
from daemon.store.columns.retries import RetryRecord
from daemon.store.filters import FailureFilter
from daemon.store.retry_changes import Choice
from daemon.taxonomy import (
    CATEGORY_ALIASES,
    Category,
    FailureStatus,
    Group,
    RetryOutcome,
    RetryReason,
    RetryState,
)
from daemon.triage import Triage

CategoryName = Literal[
    "authentication", "permission", "account_not_found", "configuration", "connection",
    "rate_limit", "service_unavailable", "rejected", "data_malformed", "schema_mismatch",
    "validation", "write_failure", "resource", "quality_issue", "unknown",
    "auth", "connectivity", "gmail_service",
]  # fmt: skip
"""A category or its older name."""

REASONS: dict[RetryReason, str] = {
    RetryReason.SOURCE_UNKNOWN: "The configuration has no such source any more.",
    RetryReason.FILE_GONE: "The file is no longer in its folder, or is not tracked any more.",
    RetryReason.SET_ASIDE: "The file is quarantined or ignored: release it instead.",
    RetryReason.RUN_FAILED: "The run failed before it came to this item.",
    RetryReason.NOT_TOUCHED: "The run ended without trying this item.",
}
_AGAIN = "It was tried, and failed again."
_STATES = {
    RetryState.PENDING: "waits for its turn",
    RetryState.RUNNING: "is about to go on",
    RetryState.COMPLETED: "every item has a result",
    RetryState.CANCELLED: "was cancelled",
    RetryState.FAILED: "could not go on",
}
LONGEST_TEXT = 200
"""Characters of a text that is filtered by."""
_SHOWN_IDS = 100

_Name = Annotated[str, Meta(min_length=1, max_length=128)]
_Text = Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT)]
_Time = Annotated[datetime, Meta(tz=True)]
_FailureId = Annotated[int, Meta(ge=1, le=9_007_199_254_740_991)]
FailureIds = Annotated[list[_FailureId], Meta(min_length=1, max_length=10_000)]


class RetryFilter(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Which failures: the filters of `/api/processing/failures`, without pages."""

    email_address: Annotated[
        _Text | None, Meta(description="Only of the accounts with this address, in any case.")
    ] = None
    pipeline: Annotated[_Name | None, Meta(description="Only of this pipeline.")] = None
    source: Annotated[_Name | None, Meta(description="Only of this source.")] = None
    category: Annotated[
        CategoryName | None, Meta(description="Only of this category, or its older name.")
    ] = None
    group: Annotated[Group | None, Meta(description="Only of the categories of this group.")] = None
    since: Annotated[_Time | None, Meta(description="Only from this time on, with its offset.")] = (
        None
    )
    until: Annotated[_Time | None, Meta(description="Only before this time, with its offset.")] = (
        None
    )
    q: Annotated[
        _Text | None,
        Meta(description="Only with this text in the message, the advice, the source or the item."),
    ] = None
    retryable: Annotated[
        bool | None, Meta(description="Only those that a retry may help, or only the others.")
    ] = None
    status: Annotated[
        FailureStatus | None, Meta(description="Only those that stand so in their handling.")
    ] = None
    run_id: Annotated[_Name | None, Meta(description="Only of this run.")] = None
    failure_group: Annotated[
        _Name | None, Meta(description="Only of this group of the same cause.")
    ] = None

    def filter(self, catalog: Catalog) -> FailureFilter:
        """The filter of the store."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        address = given.pop("email_address")
        given["category"] = CATEGORY_ALIASES.get(self.category or "", self.category)
        return FailureFilter(**given, accounts=catalog.accounts(address) if address else None)

    def shown(self) -> RetryFilter:
        """The same with nothing personal or secret in it, as it may be stored."""
        texts = {name: _masked(getattr(self, name)) for name in ("email_address", "q")}
        return msgspec.structs.replace(self, **texts)


def _masked(text: str | None) -> str | None:
    return None if text is None else Triage.mask(text)[:LONGEST_TEXT]


class RetrySelection(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What was asked for, one of three. Addresses and secrets in it are masked."""

    failure_ids: Annotated[
        FailureIds | None, Meta(description="Ids of failures; at most the first 100 are shown.")
    ] = None
    filter: Annotated[RetryFilter | None, Meta(description="All failures that match.")] = None
    failure_group: Annotated[
        _Name | None, Meta(description="All failures of this group.", examples=["9f86d081884c7d65"])
    ] = None


class RetryOrder(
    RetrySelection, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What to retry: `failure_ids`, `filter` or `failure_group`; and how."""

    rate: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)] | None,
        Meta(description="Items a minute at most; as fast as can be if not given.", examples=[60]),
    ] = None
    include_not_retryable: Annotated[
        bool,
        Meta(description="Whether to retry what triage says a retry cannot help, too."),
    ] = False
    dry_run: Annotated[bool, Meta(description="Whether to answer only what would be retried.")] = (
        False
    )

    def given(self) -> int:
        """How many of the three selections there are; one is right."""
        return sum(s is not None for s in (self.failure_ids, self.filter, self.failure_group))

    def request(self, catalog: Catalog) -> RetryRequest:
        """What it asks of the daemon."""
        chosen = self.filter or RetryFilter(failure_group=self.failure_group)
        return RetryRequest(
            failure_ids=None if self.failure_ids is None else tuple(self.failure_ids),
            filter=chosen.filter(catalog),
            include_not_retryable=self.include_not_retryable,
            rate=self.rate,
        )

    def selection(self) -> RetrySelection:
        """What is stored and shown of it."""
        return RetrySelection(
            failure_ids=self.failure_ids[:_SHOWN_IDS] if self.failure_ids else None,
            filter=self.filter.shown() if self.filter else None,
            failure_group=self.failure_group,
        )


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Items that are not retried, by why."""

    not_retryable: Annotated[
        int, Meta(description="Triage says that a retry cannot help.", examples=[4])
    ]
    resolved: Annotated[int, Meta(description="A later attempt succeeded.", examples=[0])]
    set_aside: Annotated[int, Meta(description="Quarantined or ignored.", examples=[0])]
    superseded: Annotated[
        int,
        Meta(description="They failed again since, for a cause not asked for.", examples=[0]),
    ]
    in_other_operation: Annotated[
        int, Meta(description="Another retry operation has still to retry them.", examples=[0])
    ]


class RetryTotals(msgspec.Struct, frozen=True, kw_only=True):
    """A retry operation in numbers: of items, each counted once however often it failed."""

    failures: Annotated[int, Meta(description="Failures that were asked for.", examples=[52])]
    selected: Annotated[int, Meta(description="Items that they belong to.", examples=[48])]
    left_out: Annotated[LeftOut, Meta(description="Those of them that are not retried.")]
    to_retry: Annotated[int, Meta(description="The others.", examples=[44])]
    done: Annotated[int, Meta(description="Those of these with a result.", examples=[30])]
    succeeded: Annotated[int, Meta(description="They work now.", examples=[27])]
    failed_again: Annotated[int, Meta(description="They failed again.", examples=[2])]
    not_retried: Annotated[int, Meta(description="They could not be retried.", examples=[1])]


class RetrySource(msgspec.Struct, frozen=True, kw_only=True):
    """How far a retry operation is with one source."""

    pipeline: fields.Pipeline
    source: fields.Source
    to_retry: Annotated[int, Meta(description="Items to be retried.", examples=[44])]
    done: Annotated[int, Meta(description="Those of them with a result.", examples=[30])]


class RetryOperation(msgspec.Struct, frozen=True, kw_only=True):
    """A retry that a person asked for."""

    id: Annotated[
        str | None,
        Meta(description="Its id; null for a dry run.", examples=["20260131T080000000-5f0c7d1e"]),
    ]
    state: Annotated[RetryState | None, Meta(description="How it stands; null for a dry run.")]
    state_text: Annotated[
        str | None,
        Meta(
            description="What it is doing or waiting for, in words; null for a dry run.",
            examples=["waits: the pipeline ingest is paused"],
        ),
    ]
    selection: Annotated[RetrySelection, Meta(description="What was asked for.")]
    include_not_retryable: Annotated[
        bool, Meta(description="Whether it also retries what triage says a retry cannot help.")
    ]
    rate: Annotated[
        int | None, Meta(description="Items a minute at most; null without a limit.", examples=[60])
    ]
    totals: Annotated[RetryTotals, Meta(description="It in numbers.")]
    sources: Annotated[
        list[RetrySource], Meta(description="What is retried by source, at most 100.")
    ]
    asked_at: Annotated[datetime | None, Meta(description="When; null for a dry run.")]
    asked_by: Annotated[
        str,
        Meta(description="Name of the API key; `local` without keys.", examples=["on-call"]),
    ]
    started_at: Annotated[datetime | None, Meta(description="When its work began.")]
    ended_at: Annotated[datetime | None, Meta(description="When it ended.")]
    error: Annotated[str | None, Meta(description="Why it failed, if its state is `failed`.")]

    @classmethod
    def of(
        cls,
        record: RetryRecord,
        progress: Sequence[stored.SourceProgress],
        text: str | None,
    ) -> RetryOperation:
        """The stored operation; `text` is what it is doing now."""
        state = RetryState(record.state)
        counted = {name: getattr(record, name) for name in Choice.__struct_fields__}
        return cls(
            id=record.operation_id,
            state=state,
            state_text=text or _STATES[state],
            selection=msgspec.json.decode(record.selection, type=RetrySelection),
            include_not_retryable=record.include_not_retryable,
            rate=record.rate,
            totals=_totals(Choice(**counted), progress),
            sources=_sources(progress),
            asked_at=record.asked_at,
            asked_by=record.asked_by,
            started_at=record.started_at,
            ended_at=record.ended_at,
            error=record.error,
        )

    @classmethod
    def preview(
        cls,
        order: RetryOrder,
        choice: Choice,
        progress: Sequence[stored.SourceProgress],
        asked_by: str,
    ) -> RetryOperation:
        """What the order would come to."""
        return cls(
            id=None,
            state=None,
            state_text=None,
            selection=order.selection(),
            include_not_retryable=order.include_not_retryable,
            rate=order.rate,
            totals=_totals(choice, progress),
            sources=_sources(progress),
            asked_at=None,
            asked_by=asked_by,
            started_at=None,
            ended_at=None,
            error=None,
        )


def _totals(choice: Choice, progress: Sequence[stored.SourceProgress]) -> RetryTotals:
    succeeded = sum(source.succeeded for source in progress)
    failed_again = sum(source.failed_again for source in progress)
    not_retried = sum(source.not_retried for source in progress)
    return RetryTotals(
        failures=choice.failures,
        selected=choice.selected,
        left_out=LeftOut(
            not_retryable=choice.not_retryable,
            resolved=choice.resolved,
            set_aside=choice.set_aside,
            superseded=choice.superseded,
            in_other_operation=choice.in_other_operation,
        ),
        to_retry=sum(source.items for source in progress),
        done=succeeded + failed_again + not_retried,
        succeeded=succeeded,
        failed_again=failed_again,
        not_retried=not_retried,
    )


def _sources(progress: Sequence[stored.SourceProgress]) -> list[RetrySource]:
    return [
        RetrySource(
            pipeline=found.pipeline,
            source=found.source,
            to_retry=found.items,
            done=found.succeeded + found.failed_again + found.not_retried,
        )
        for found in progress[:100]
    ]


class RetryOperationList(msgspec.Struct, frozen=True, kw_only=True):
    """Retry operations, newest first."""

    retries: Annotated[list[RetryOperation], Meta(description="Newest first.")]
    total_retries: Annotated[int, Meta(description="How many there are.", examples=[3])]
    next_cursor: fields.NextCursor
    timestamp: fields.Timestamp


class RetryFailure(msgspec.Struct, frozen=True, kw_only=True):
    """An item that a retry operation failed on."""

    failure_id: Annotated[
        int, Meta(description="The failure that was to be retried.", examples=[4711])
    ]
    pipeline: fields.Pipeline
    source: fields.Source
    item: Annotated[
        str | None, Meta(description="The item; null for the run itself.", examples=["may.csv"])
    ]
    outcome: Annotated[RetryOutcome, Meta(description="failed_again or not_retried.")]
    reason: Annotated[
        RetryReason | None, Meta(description="Why it could not be retried; null if it was.")
    ]
    reason_text: Annotated[
        str,
        Meta(
            description="The same in words.",
            examples=["The file is no longer in its folder, or is not tracked any more."],
        ),
    ]
    new_failure_id: Annotated[
        int | None,
        Meta(description="The new failure, of the item or its run; null without.", examples=[4812]),
    ]
    error_category: fields.CategoryOrNone
    ended_at: Annotated[datetime, Meta(description="When this was known.")]

    @classmethod
    def of(cls, record: stored.Unsuccessful) -> RetryFailure:
        """The stored result."""
        reason = RetryReason(record.reason) if record.reason else None
        return cls(
            failure_id=record.failure_id,
            pipeline=record.pipeline,
            source=record.source,
            item=record.item,
            outcome=RetryOutcome(record.outcome),
            reason=reason,
            reason_text=REASONS[reason] if reason else _AGAIN,
            new_failure_id=record.new_failure_id,
            error_category=Category(record.category) if record.category else None,
            ended_at=record.ended_at,
        )


class RetryFailureList(msgspec.Struct, frozen=True, kw_only=True):
    """What a retry operation failed on, by the id of the failure."""

    failures: Annotated[list[RetryFailure], Meta(description="By `failure_id`.")]
    total_failures: Annotated[int, Meta(description="How many there are so far.", examples=[3])]
    next_cursor: fields.NextCursor
    timestamp: fields.Timestamp
