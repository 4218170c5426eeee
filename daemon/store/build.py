"""Makes rows of events: what of an event is kept, column by column."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from daemon import events
from daemon.store import rows
from daemon.store.entries import FailedRun, NewFailure, RunSummary
from daemon.triage import strategy
from daemon.triage.assessment import Assessment


def run_row(event: events.RunStarted) -> rows.RunRow:
    return rows.RunRow(
        run_id=event.run_id,
        pipeline=event.pipeline,
        source=event.source,
        cycle_id=event.cycle_id,
        started_by=event.trigger,
        started_at=event.at,
        source_version=event.source_version,
    )


def run_end_row(event: events.RunEnded, summary: RunSummary) -> rows.RunEndRow:
    return rows.RunEndRow(
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


def retry_time(
    event: events.ItemFailed, assessment: Assessment, attempt: int, jitter: Callable[[], float]
) -> datetime | None:
    """When the next attempt is due by itself, if at all."""
    wait = strategy.delay(
        assessment.strategy, attempt, assessment.category, assessment.retry_after, jitter
    )
    return None if wait is None else event.at + timedelta(seconds=wait)


def failure_row(new: NewFailure, attempt: int, retry_at: datetime | None) -> rows.FailureRow:
    event, assessment = new.event, new.assessment
    return rows.FailureRow(
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


def failed_run(new: NewFailure, attempt: int, retry_at: datetime | None) -> FailedRun:
    return FailedRun(
        pipeline=new.event.pipeline,
        source=new.event.source,
        run_id=new.event.run_id,
        category=new.assessment.category,
        retryable=new.assessment.retryable,
        attempt=attempt,
        failed_at=new.event.at,
        retry_at=retry_at,
    )


def group_row(event: events.ItemFailed, assessment: Assessment) -> rows.GroupRow:
    return rows.GroupRow(
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


def audit_row(event: events.Audited) -> rows.AuditRow:
    return rows.AuditRow(
        audited_at=event.at,
        done_by=event.by,
        action=event.action,
        subject=event.subject,
        outcome=event.outcome,
        reason=event.reason,
        details=event.details,
    )
