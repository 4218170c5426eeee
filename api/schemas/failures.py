"""Failures: what failed, why, and what to do about it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from api.schemas import fields
from daemon.pipelines.catalog import Catalog
from daemon.store.records import FailureRecord
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
            id=record.id,
            email_address=catalog.email_address(record.pipeline, record.source),
            pipeline=record.pipeline,
            source=record.source,
            item=record.item,
            run_id=record.run_id,
            error_message=record.error_message,
            error_time=record.error_time,
            failed_step=record.step,
            duration_seconds=record.duration_seconds,
            error_category=category,
            error_group=CATEGORIES[category].group,
            is_auth_error=category is Category.AUTHENTICATION,
            is_retryable=record.retryable,
            retry_reason=reason(category, as_stored(category, retryable=record.retryable)),
            rule=record.rule,
            user_message=record.user_message,
            suggested_action=record.suggested_action,
            attempt=record.attempt,
            status=FailureStatus(record.status),
            failure_group=record.failure_group,
            log_url=fields.log_url(record.run_id),
            exception_type=record.exception_type,
            retry_at=record.retry_at,
            updated_at=record.updated_at,
            row_count=record.row_count,
            sample_rows=record.sample_rows,
            column_name=record.column_name,
        )


class FailureList(msgspec.Struct, frozen=True, kw_only=True):
    """Failures that match, newest first."""

    failures: Annotated[list[FailureDetail], Meta(description="This page of them.")]
    total_failures: Annotated[
        int, Meta(description="All that match, not the length of the page.", examples=[128])
    ]
    next_cursor: fields.NextCursor
    timestamp: fields.Timestamp
