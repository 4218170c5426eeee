"""The runs: what is kept of one when it begins, and when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from daemon.events import RunEnded, RunStarted
from daemon.store.entries import RunError, RunSummary
from daemon.store.records import utc
from daemon.store.rows import Row


class RunRow(Row, frozen=True):
    """A run that begins."""

    run_id: str
    pipeline: str
    source: str
    cycle_id: str
    started_by: str
    started_at: datetime
    source_version: str

    @classmethod
    def of(cls, event: RunStarted) -> RunRow:
        """The row of a run that began."""
        return cls(
            run_id=event.run_id,
            pipeline=event.pipeline,
            source=event.source,
            cycle_id=event.cycle_id,
            started_by=event.trigger,
            started_at=event.at,
            source_version=event.source_version,
        )


class RunCountRow(Row, frozen=True):
    """What a run did since it was counted last."""

    run_id: str
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    retryable: int = 0


class RunColumns(Row, frozen=True):
    """How a run stands or ended."""

    run_id: str
    status: str
    state: str
    step: str
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


class RunEndRow(RunColumns, frozen=True):
    """A run that ended."""

    ended_at: datetime
    duration_seconds: float
    top_errors: str

    @classmethod
    def of(cls, event: RunEnded, summary: RunSummary) -> RunEndRow:
        """The row of a run that ended."""
        return cls(
            run_id=event.run_id,
            status=event.status,
            state=event.state,
            step=event.step,
            ended_at=event.at,
            duration_seconds=event.duration_seconds,
            succeeded=event.counts.succeeded,
            failed=event.counts.failed,
            skipped=event.counts.skipped,
            retryable=summary.retryable,
            progress_current=event.progress_current,
            progress_total=event.progress_total,
            category=summary.category,
            error_message=summary.error_message,
            user_message=summary.user_message,
            suggested_action=summary.suggested_action,
            top_errors=msgspec.json.encode(summary.top_errors).decode(),
        )


class RunRecord(RunColumns, frozen=True):
    """A stored run. The order of the fields is the order of the columns that are read."""

    pipeline: str
    source: str
    cycle_id: str
    started_by: str
    started_at: datetime
    ended_at: datetime | None
    duration_seconds: float | None
    top_errors: list[RunError]

    @classmethod
    def of(cls, row: Sequence[Any]) -> RunRecord:
        """A run of its columns."""
        *values, errors = row
        decoded = msgspec.json.decode(errors or "[]", type=list[RunError])
        return cls(*[*map(utc, values), decoded])
