"""The rows of the files that ingestions track."""

from __future__ import annotations

from datetime import datetime

from daemon.store.rows import Row


class FileRow(Row, frozen=True):
    """A tracked file. The order of the fields is the order of the columns that are read."""

    pipeline: str
    source: str
    path: str
    size: int
    mtime_ns: int
    content_hash: str
    status: str
    category: str | None
    retryable: bool | None
    user_message: str | None
    suggested_action: str | None
    error_message: str | None
    exception_type: str | None
    retry_count: int
    run_id: str
    last_attempt: datetime
    retry_at: datetime | None
    rows_loaded: int
    rows_rejected: int
    rejects: str | None
    arrived_at: datetime | None
    """When a version of it was last new."""


class FileMarkRow(Row, frozen=True):
    """What a person decided about a file."""

    pipeline: str
    source: str
    path: str
    status: str
