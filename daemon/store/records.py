"""What is read from the store: one record a thing, times in UTC with offset."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from daemon.store.entries import RunError


class FailureRecord(msgspec.Struct, frozen=True):
    """A stored failure. The order of the fields is the order of the columns that are read."""

    id: int
    error_time: datetime
    run_id: str
    pipeline: str
    source: str
    item: str | None
    step: str
    duration_seconds: float
    category: str
    retryable: bool
    rule: str
    exception_type: str | None
    error_message: str
    user_message: str
    suggested_action: str
    failure_group: str
    attempt: int
    status: str
    updated_at: datetime
    retry_at: datetime | None
    row_count: int | None
    sample_rows: list[int]
    column_name: str | None


class RunRecord(msgspec.Struct, frozen=True):
    """A stored run."""

    run_id: str
    pipeline: str
    source: str
    cycle_id: str
    started_by: str
    status: str
    state: str
    step: str
    started_at: datetime
    ended_at: datetime | None
    duration_seconds: float | None
    succeeded: int
    failed: int
    skipped: int
    retryable: int
    progress_current: int | None
    progress_total: int | None
    category: str | None
    error_message: str | None
    user_message: str | None
    suggested_action: str | None
    top_errors: list[RunError]


class GroupRecord(msgspec.Struct, frozen=True):
    """Failures with the same cause."""

    failure_group: str
    pipeline: str
    step: str
    category: str
    rule: str
    message: str
    user_message: str
    suggested_action: str
    exception_type: str | None
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
    fingerprint_version: int


class DecisionRecord(msgspec.Struct, frozen=True):
    """What a person decided about a failure group."""

    failure_group: str
    decision: str
    as_of: datetime
    until: datetime | None
    note: str | None
    decided_by: str | None
    decided_at: datetime


class SplitRecord(msgspec.Struct, frozen=True):
    """How a failure group was split off from another."""

    failure_group: str
    split_from: str
    text: str | None
    """What the messages hold; None when it was split off by whole normalised messages."""


class GroupSource(msgspec.Struct, frozen=True):
    """How many failures of a group a source has."""

    pipeline: str
    source: str
    count: int
    pending: int
    last_seen: datetime


class TrendPoint(msgspec.Struct, frozen=True):
    """Failures in one stretch of time."""

    start: datetime
    key: str
    count: int


class SourceCategory(msgspec.Struct, frozen=True):
    """How many failures of a category a source has."""

    pipeline: str
    source: str
    category: str
    count: int


_FAILURE_TIMES = [
    FailureRecord.__struct_fields__.index(name) for name in ("error_time", "updated_at", "retry_at")
]


def failure(row: Sequence[Any]) -> FailureRecord:
    """A failure of its columns. Looks at the times alone: a page has thousands of other values."""
    values = list(row)
    for place in _FAILURE_TIMES:
        values[place] = utc(values[place])
    return FailureRecord(*values)


def select(record: type[msgspec.Struct], alias: str = "") -> str:
    """The columns of a record, to be read in its order."""
    return ", ".join(f"{alias}{name}" for name in record.__struct_fields__)


def utc(value: Any) -> Any:
    """A stored time with its offset; anything else as it is."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def stored(value: datetime) -> datetime:
    """A time as it is stored: in UTC, without offset."""
    return value.astimezone(UTC).replace(tzinfo=None)


def midnight(value: date) -> datetime:
    """The start of a day, as it is stored."""
    return datetime(value.year, value.month, value.day)  # noqa: DTZ001 (as it is stored)
