"""The retry operations: what was asked for, and how that stands."""

from __future__ import annotations

from datetime import datetime

from daemon.store.rows import Row


class RetryOperationRow(Row, frozen=True):
    """An operation as it is at first: pending."""

    operation_id: str
    asked_at: datetime
    asked_by: str
    selection: str
    include_not_retryable: bool
    rate: int | None
    failures: int
    selected: int
    not_retryable: int
    resolved: int
    set_aside: int
    superseded: int
    in_other_operation: int


class RetryRecord(RetryOperationRow, frozen=True):
    """A stored operation. The order of the fields is the order of the columns that are read."""

    state: str
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None


class RetryResultRow(Row, frozen=True):
    """What came of one item of an operation."""

    failure_id: int
    outcome: str
    reason: str | None
    new_failure_id: int | None
    category: str | None
