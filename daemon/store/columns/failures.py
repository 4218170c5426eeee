"""The failures and their groups: what is kept of a failure, and where each column comes from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from daemon.events import ItemFailed
from daemon.store.entries import FailedRun, NewFailure
from daemon.store.records import utc
from daemon.store.rows import FreeText, Row, UInt64
from daemon.triage.assessment import Assessment

OUTSIDE = {"step": "failed_step", "category": "error_category", "retryable": "is_retryable"}
"""What columns are called in answers and exports, unless the same."""
EXPORTED = (
    *("id", "error_time", "pipeline", "source", "item", "run_id", "failed_step"),
    *("duration_seconds", "error_category", "error_group", "is_auth_error", "is_retryable", "rule"),
    *("error_message", "user_message", "suggested_action", "attempt", "status", "failure_group"),
    *("exception_type", "row_count", "column_name", "retry_at"),
)
"""The columns of the CSV, by the names that they have outside."""


class FailureColumns(Row, frozen=True):
    """What is inserted and read."""

    id: int
    error_time: datetime
    run_id: str
    pipeline: str
    source: str
    item: FreeText | None
    step: FreeText
    duration_seconds: float
    category: str
    retryable: bool
    rule: str
    exception_type: FreeText | None
    error_message: FreeText
    user_message: FreeText
    suggested_action: FreeText
    failure_group: str
    attempt: int
    retry_at: datetime | None
    row_count: int | None
    sample_rows: tuple[int, ...]
    column_name: FreeText | None


class FailureRow(FailureColumns, frozen=True):
    """A failure as it is at first: open."""

    item_key: UInt64

    @classmethod
    def of(cls, new: NewFailure, attempt: int, retry_at: datetime | None) -> FailureRow:
        """The row of a failure of a batch."""
        event, assessment = new.event, new.assessment
        return cls(
            id=new.id,
            error_time=event.at,
            run_id=event.run_id,
            pipeline=event.pipeline,
            source=event.source,
            item=new.shown_item,
            item_key=new.item_key,
            step=event.step,
            duration_seconds=event.duration_seconds,
            category=assessment.category,
            retryable=assessment.retryable,
            rule=assessment.rule,
            exception_type=assessment.exception_type,
            error_message=assessment.message,
            user_message=assessment.user_message,
            suggested_action=assessment.suggested_action,
            failure_group=assessment.failure_group,
            attempt=attempt,
            retry_at=retry_at,
            row_count=event.row_count,
            sample_rows=event.sample_rows,
            column_name=event.column,
        )

    def failed_run(self) -> FailedRun:
        """The same of a run that failed as a whole."""
        return FailedRun(
            pipeline=self.pipeline,
            source=self.source,
            run_id=self.run_id,
            category=self.category,
            retryable=self.retryable,
            attempt=self.attempt,
            failed_at=self.error_time,
            retry_at=self.retry_at,
        )


class FailureRecord(FailureColumns, frozen=True):
    """A stored failure. The order of the fields is the order of the columns that are read."""

    status: str
    updated_at: datetime

    @classmethod
    def of(cls, row: Sequence[Any]) -> FailureRecord:
        """A failure of its columns. Looks at the times alone: a page has thousands of other values."""
        values = list(row)
        for place in _TIMES:
            values[place] = utc(values[place])
        return cls(*values)


_TIMES = [
    FailureRecord.__struct_fields__.index(name) for name in ("error_time", "updated_at", "retry_at")
]


class GroupRow(Row, frozen=True):
    """A failure group, as its first failure describes it."""

    failure_group: str
    fingerprint_version: int
    pipeline: str
    step: str
    category: str
    rule: str
    message: str
    user_message: str
    suggested_action: str
    exception_type: str | None

    @classmethod
    def of(cls, event: ItemFailed, assessment: Assessment) -> GroupRow:
        """The row of the group that a failure belongs to."""
        return cls(
            failure_group=assessment.failure_group,
            fingerprint_version=assessment.fingerprint_version,
            pipeline=event.pipeline,
            step=event.step,
            category=assessment.category,
            rule=assessment.rule,
            message=assessment.normalised_message,
            user_message=assessment.user_message,
            suggested_action=assessment.suggested_action,
            exception_type=assessment.exception_type,
        )


class GroupRecord(GroupRow, frozen=True):
    """Failures with the same cause, counted."""

    count: int
    open: int
    retrying: int
    resolved: int
    quarantined: int
    ignored: int
    retryable: bool
    sources: list[str]
    first_seen: datetime
    last_seen: datetime
    retryable_count: int
