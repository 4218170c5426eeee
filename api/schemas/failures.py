"""Failures: what failed, why, and what to do about it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from api.schemas import fields
from daemon.pipelines.catalog import Catalog
from daemon.store.columns.failures import OUTSIDE, FailureRecord
from daemon.taxonomy import CATEGORIES, Category, FailureStatus, Group
from daemon.triage.retry import as_stored, reason


class FailureDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A failure: what failed, why, and what to do about it."""

    id: Annotated[
        int, Meta(description="Id of the failure; later ones are higher.", examples=[4711])
    ]
    email_address: fields.EmailAddress
    pipeline: fields.Pipeline
    source: fields.Source
    item: Annotated[
        str | None,
        Meta(
            description="What failed within the run, such as a file; null when the run itself did.",
            examples=["2026/01/orders-31.csv"],
        ),
    ]
    run_id: fields.RunId
    error_message: Annotated[
        str,
        Meta(
            description="The error, masked and at most 2 KB.",
            examples=["[Errno 111] Connection refused"],
        ),
    ]
    error_time: Annotated[
        datetime, Meta(description="When it failed, in UTC.", examples=["2026-01-31T07:59:58.12Z"])
    ]
    failed_step: Annotated[
        str, Meta(description="State that the run was in.", examples=["connecting"])
    ]
    duration_seconds: Annotated[
        float,
        Meta(description="Seconds from the start of the run to the failure.", examples=[0.42]),
    ]
    error_category: Annotated[
        Category, Meta(description="What kind of failure it is.", examples=["connection"])
    ]
    error_group: Annotated[
        Group, Meta(description="The coarse side of the category.", examples=["network"])
    ]
    is_auth_error: Annotated[
        bool, Meta(description="Whether the category is `authentication`.", examples=[False])
    ]
    is_retryable: Annotated[
        bool, Meta(description="Whether trying again may help.", examples=[True])
    ]
    retry_reason: Annotated[
        str,
        Meta(
            description="Why trying again may help, why it cannot, or that it is not known.",
            examples=["retrying may help: the network may be back"],
        ),
    ]
    rule: Annotated[
        str,
        Meta(
            description="Rule that classified it; `unmatched` when none did.",
            examples=["connection-refused"],
        ),
    ]
    user_message: Annotated[
        str,
        Meta(
            description="What happened, for a person.",
            examples=["The server refused the connection."],
        ),
    ]
    suggested_action: Annotated[
        str,
        Meta(
            description="What a person should do about it.",
            examples=["Check that the server is running and that host and port are right."],
        ),
    ]
    attempt: Annotated[
        int, Meta(description="How many times in a row the item has failed.", examples=[1])
    ]
    status: Annotated[
        FailureStatus,
        Meta(
            description="Where it stands; a later success resolves it by itself.",
            examples=["open"],
        ),
    ]
    failure_group: Annotated[
        str,
        Meta(description="Group of failures with the same cause.", examples=["9f86d081884c7d65"]),
    ]
    log_url: fields.LogUrl
    exception_type: fields.ExceptionType
    retry_at: fields.RetryAt
    updated_at: Annotated[datetime, Meta(description="When its status last changed, in UTC.")]
    row_count: Annotated[
        int | None, Meta(description="Rows of the item that this cause concerns, when it has rows.")
    ]
    sample_rows: Annotated[list[int], Meta(description="Numbers of some of these rows.")]
    column_name: Annotated[
        str | None, Meta(description="The column concerned, when it is one.", examples=["amount"])
    ]

    @classmethod
    def of(cls, record: FailureRecord, catalog: Catalog) -> FailureDetail:
        """The stored failure, with the address from the account's own record."""
        category = Category(record.category)
        return cls(
            email_address=catalog.email_address(record.pipeline, record.source),
            error_category=category,
            error_group=CATEGORIES[category].group,
            is_auth_error=category is Category.AUTHENTICATION,
            retry_reason=reason(category, as_stored(category, retryable=record.retryable)),
            status=FailureStatus(record.status),
            log_url=fields.log_url(record.run_id),
            **_AS_STORED.of(record),
        )


_AS_STORED = fields.Shared(FailureRecord, FailureDetail, OUTSIDE, but=("category", "status"))


class FailureRow(msgspec.Struct, frozen=True, kw_only=True):
    """A failure: what failed, why, and what to do about it."""

    id: Annotated[int, Meta(description="Id of the failure.", examples=[4711])]
    error_time: Annotated[datetime, Meta(description="When it failed, in UTC.")]
    pipeline: fields.Pipeline
    source: fields.Source
    email_address: fields.EmailAddress
    item: Annotated[str | None, Meta(description="What failed; null when the run itself did.")]
    run_id: fields.RunId
    failed_step: Annotated[str, Meta(description="State that the run was in.")]
    duration_seconds: Annotated[
        float, Meta(description="Seconds from the start of the run to the failure.")
    ]
    error_category: Annotated[Category, Meta(description="What kind of failure it is.")]
    error_group: Annotated[Group, Meta(description="The coarse side of the category.")]
    is_auth_error: Annotated[bool, Meta(description="Whether credentials were refused.")]
    is_retryable: Annotated[bool, Meta(description="Whether trying again may help.")]
    retry_reason: Annotated[str, Meta(description="Why it may help, or why not.")]
    rule: Annotated[str, Meta(description="Rule that classified it.")]
    error_message: Annotated[str, Meta(description="The error, masked and at most 2 KB.")]
    user_message: Annotated[str, Meta(description="What happened, for a person.")]
    suggested_action: Annotated[str, Meta(description="What a person should do about it.")]
    attempt: Annotated[int, Meta(description="How often in a row the item has failed.")]
    status: Annotated[FailureStatus, Meta(description="Where it stands in its handling.")]
    failure_group: Annotated[str, Meta(description="Failures of the same cause share it.")]
    exception_type: fields.ExceptionType
    row_count: Annotated[int | None, Meta(description="Rows concerned, for files.")]
    column_name: Annotated[str | None, Meta(description="The column at fault, for files.")]
    retry_at: fields.RetryAt
    log_url: fields.LogUrl
    next_cursor: fields.RowCursor

    @classmethod
    def of(cls, failure: FailureDetail, next_cursor: str) -> FailureRow:
        """The failure as a row."""
        shown = {name: getattr(failure, name) for name in cls.__struct_fields__[:-1]}
        return cls(**shown, next_cursor=next_cursor)


class FailureList(msgspec.Struct, frozen=True, kw_only=True):
    """Failures that match, newest first."""

    failures: Annotated[list[FailureDetail], Meta(description="This page of them.")]
    total_failures: Annotated[
        int, Meta(description="All that match, not the length of the page.", examples=[128])
    ]
    next_cursor: fields.NextCursor
    timestamp: fields.Timestamp
