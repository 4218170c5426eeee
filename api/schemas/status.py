"""What goes on right now."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from api.schemas import fields
from api.schemas.failures import FailureDetail
from api.schemas.queued import Queued
from api.schemas.runs import ItemCounts, Progress, RunDetail
from api.schemas.standing import FailingSource
from api.schemas.statistics import Statistics
from daemon.live import ActiveRun
from daemon.pipelines.catalog import Catalog
from daemon.taxonomy import RunState


class CurrentRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is under way."""

    email_address: fields.EmailAddress
    source: fields.Source
    pipeline: fields.Pipeline
    run_id: fields.RunId
    state: Annotated[RunState, Meta(description="The phase it is in.", examples=["fetching"])]
    current_step: Annotated[
        str, Meta(description="What it is doing, in words.", examples=["reading orders-31.csv"])
    ]
    progress: Annotated[
        Progress | None, Meta(description="How far it is; null when it does not say.")
    ]
    start_time: Annotated[datetime, Meta(description="When it began, in UTC.")]
    last_updated: Annotated[datetime, Meta(description="When it last said something, in UTC.")]
    error_message: Annotated[
        str | None, Meta(description="The latest failure in it, masked; null without any.")
    ]
    counts: Annotated[ItemCounts, Meta(description="Its items so far by outcome.")]

    @classmethod
    def of(cls, run: ActiveRun, catalog: Catalog) -> CurrentRun:
        """The run as it is live."""
        return cls(
            email_address=catalog.email_address(run.pipeline, run.source),
            source=run.source,
            pipeline=run.pipeline,
            run_id=run.run_id,
            state=run.state,
            current_step=run.step,
            progress=Progress.of(run.progress_current, run.progress_total),
            start_time=run.started_at,
            last_updated=run.updated_at,
            error_message=run.error_message,
            counts=ItemCounts(succeeded=run.succeeded, failed=run.failed, skipped=run.skipped),
        )


class FailureSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The failures at a glance, whatever their age and whether or not recent runs are asked for."""

    has_recent_failures: Annotated[
        bool, Meta(description="Whether anything failed in the last 24 hours.", examples=[True])
    ]
    failure_count: Annotated[
        int, Meta(description="Failures that are open, of any age.", examples=[3])
    ]
    most_recent_failure: Annotated[
        FailureDetail | None, Meta(description="The newest of all failures; null without any.")
    ]


class ProcessingStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is being processed, and whether anything failed: for those who poll."""

    is_processing: Annotated[
        bool, Meta(description="Whether any run is under way.", examples=[True])
    ]
    current_status: Annotated[
        CurrentRun | None,
        Meta(description="The most recently updated of the active runs; null when none is."),
    ]
    active: Annotated[
        list[CurrentRun], Meta(description="All active runs, most recently updated first.")
    ]
    failure_summary: Annotated[
        FailureSummary | None, Meta(description="The failures at a glance; null if not asked for.")
    ]
    websocket_available: Annotated[
        bool, Meta(description="Whether `/ws/status` tells it live.", examples=[True])
    ]
    queued: Annotated[Queued, Meta(description="Runs that wait for their turn.")]
    failing_sources: Annotated[
        int,
        Meta(
            description="Sources that fail: failures of them are open, whatever their latest run did.",
            examples=[1],
        ),
    ]
    failing: Annotated[
        list[FailingSource],
        Meta(description="The 50 of them that have failed longest, these first."),
    ]
    timestamp: fields.Timestamp


class CurrentStatus(ProcessingStatus, frozen=True, kw_only=True):
    """What is being processed, what was processed lately, and whether anything failed."""

    recent_runs: Annotated[
        list[RunDetail],
        Meta(
            description="The runs that ended last, newest first; empty if not asked for. Runs that had nothing to do leave the others room: of those there is the last one of each source at most."
        ),
    ]
    statistics: Annotated[
        Statistics | None,
        Meta(description="What the runs of the last 24 hours came to; null if not asked for."),
    ]
