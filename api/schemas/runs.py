"""Runs: how they ended and what failed in them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from api.schemas import fields
from daemon.live import ActiveRun
from daemon.pipelines.catalog import Catalog
from daemon.store.columns.runs import RunRecord
from daemon.store.entries import RunError
from daemon.store.runs import is_idle
from daemon.taxonomy import Category, RunState, RunStatus, Trigger


class FinalState(StrEnum):
    """How a run ended."""

    COMPLETED = "COMPLETED"
    PARTIAL = "PARTIAL"
    ERROR = "ERROR"
    INTERRUPTED = "INTERRUPTED"
    CANCELLED = "CANCELLED"


FINAL_STATES = {
    RunStatus.SUCCESS: FinalState.COMPLETED,
    RunStatus.PARTIAL: FinalState.PARTIAL,
    RunStatus.FAILED: FinalState.ERROR,
    RunStatus.INTERRUPTED: FinalState.INTERRUPTED,
    RunStatus.CANCELLED: FinalState.CANCELLED,
}


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is, in items or another unit of the pipeline."""

    current: Annotated[int, Meta(description="Done so far.", examples=[40])]
    total: Annotated[int | None, Meta(description="To be done; null if unknown.", examples=[100])]

    @classmethod
    def of(cls, current: int | None, total: int | None) -> Progress | None:
        """The progress, or None before there is any."""
        return None if current is None else cls(current=current, total=total)


class ItemCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Items of a run by outcome."""

    succeeded: Annotated[int, Meta(description="Processed.", examples=[97])]
    failed: Annotated[int, Meta(description="Failed, in whole or in part.", examples=[3])]
    skipped: Annotated[int, Meta(description="Needed nothing.", examples=[0])]


class TopError(msgspec.Struct, frozen=True, kw_only=True):
    """One of the most frequent causes of failure in a run."""

    failure_group: Annotated[
        str, Meta(description="Group of the cause.", examples=["9f86d081884c7d65"])
    ]
    category: Annotated[Category, Meta(description="What kind of failure it is.")]
    message: Annotated[str, Meta(description="What happened, for a person.")]
    count: Annotated[int, Meta(description="Failures of this cause in the run.", examples=[3])]
    examples: Annotated[
        list[str],
        Meta(description="Up to three items that failed so.", examples=[["2026/orders-31.csv"]]),
    ]

    @classmethod
    def of(cls, error: RunError) -> TopError:
        """The stored cause."""
        return cls(
            failure_group=error.failure_group,
            category=Category(error.category),
            message=error.message,
            count=error.count,
            examples=list(error.examples),
        )


class RunDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to process one source."""

    run_id: fields.RunId
    pipeline: fields.Pipeline
    source: fields.Source
    email_address: fields.EmailAddress
    status: Annotated[
        RunStatus, Meta(description="How the run stands or ended.", examples=["partial"])
    ]
    start_time: Annotated[
        datetime, Meta(description="When it began, in UTC.", examples=["2026-01-31T07:59:57.7Z"])
    ]
    end_time: Annotated[
        datetime | None, Meta(description="When it ended, in UTC; null while it runs.")
    ]
    duration_seconds: Annotated[
        float | None, Meta(description="How long it took; null while it runs.", examples=[12.5])
    ]
    final_state: Annotated[
        FinalState | None,
        Meta(description="How it ended, in one word; null while it runs.", examples=["PARTIAL"]),
    ]
    final_step: Annotated[
        str, Meta(description="The last step it reached, in words.", examples=["writing orders"])
    ]
    error_message: fields.ErrorMessage
    final_progress: Annotated[
        Progress | None, Meta(description="How far it came; null when it never said.")
    ]
    counts: Annotated[ItemCounts, Meta(description="Its items by outcome.")]
    state: Annotated[
        RunState, Meta(description="The last phase it was in.", examples=["completed"])
    ]
    trigger: Annotated[Trigger, Meta(description="What started it.", examples=["schedule"])]
    cycle_id: Annotated[str, Meta(description="Id of the cycle that it belongs to.")]
    error_category: fields.CategoryOrNone
    user_message: fields.UserMessage
    suggested_action: fields.SuggestedAction
    retryable_failures: Annotated[
        int, Meta(description="How many of its failures a retry may help.", examples=[1])
    ]
    top_errors: Annotated[
        list[TopError], Meta(description="Its most frequent causes of failure, at most five.")
    ]
    log_url: fields.LogUrl
    idle_runs: Annotated[
        int,
        Meta(
            description="1 if nothing succeeded and nothing failed in it, since there was nothing to do but for what is "
            "known to be broken; more if it is the last of so many runs of its source in a row; else 0.",
            examples=[0],
        ),
    ]
    idle_since: Annotated[
        datetime | None, Meta(description="When the first of these runs ended; null without.")
    ]

    @classmethod
    def of(cls, record: RunRecord, catalog: Catalog, live: ActiveRun | None = None) -> RunDetail:
        """The stored run; while it runs, with what is known of it live.

        An end is stored before the live run is told of it: what is stored counts from then on.
        """
        status = RunStatus(record.status)
        now = live if live is not None and status is RunStatus.RUNNING else record
        return cls(
            run_id=record.run_id,
            pipeline=record.pipeline,
            source=record.source,
            email_address=catalog.email_address(record.pipeline, record.source),
            status=status,
            start_time=record.started_at,
            end_time=record.ended_at,
            duration_seconds=record.duration_seconds,
            final_state=FINAL_STATES.get(status),
            final_step=now.step,
            error_message=now.error_message,
            final_progress=Progress.of(now.progress_current, now.progress_total),
            counts=ItemCounts(succeeded=now.succeeded, failed=now.failed, skipped=now.skipped),
            state=RunState(now.state),
            trigger=Trigger(record.started_by),
            cycle_id=record.cycle_id,
            error_category=Category(record.category) if record.category else None,
            user_message=record.user_message,
            suggested_action=record.suggested_action,
            retryable_failures=record.retryable,
            top_errors=[TopError.of(error) for error in record.top_errors],
            log_url=fields.log_url(record.run_id),
            idle_runs=int(idle := is_idle(status, record.succeeded, record.failed)),
            idle_since=record.ended_at if idle else None,
        )


class RunList(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that match, newest first."""

    runs: Annotated[list[RunDetail], Meta(description="This page of them.")]
    total_runs: Annotated[
        int, Meta(description="All that match, idle ones included.", examples=[240])
    ]
    next_cursor: Annotated[
        str | None, Meta(description="Value of `cursor` for the next page; null on the last one.")
    ]
    timestamp: fields.Timestamp
