"""What runs came to over a stretch of time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from api.schemas import fields
from api.schemas.standing import CategoryCount, StandingDetail


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """How runs ended and what became of their items."""

    runs: Annotated[int, Meta(description="Runs that began in the time.", examples=[288])]
    success: Annotated[
        int, Meta(description="Ended without a failure, and left none open.", examples=[280])
    ]
    partial: Annotated[
        int,
        Meta(
            description="Some of their items failed, or failures of earlier runs were open still.",
            examples=[6],
        ),
    ]
    failed: Annotated[int, Meta(description="Failed altogether.", examples=[2])]
    interrupted: Annotated[int, Meta(description="The daemon ended under them.", examples=[0])]
    cancelled: Annotated[int, Meta(description="Cancelled.", examples=[0])]
    success_rate: Annotated[
        float | None,
        Meta(
            description="Share of `success` among success, partial and failed, 0 to 1; null "
            "without any.",
            examples=[0.97],
        ),
    ]
    items_succeeded: Annotated[int, Meta(description="Items processed.", examples=[5120])]
    items_failed: Annotated[int, Meta(description="Items that failed.", examples=[14])]
    items_skipped: Annotated[int, Meta(description="Items that needed nothing.", examples=[9])]
    average_seconds: Annotated[
        float | None, Meta(description="Mean duration of a run; null without any.", examples=[3.2])
    ]
    failures_by_category: Annotated[
        list[CategoryCount], Meta(description="Failures in the time, most frequent first.")
    ]


class SourceStatistics(Outcomes, frozen=True, kw_only=True):
    """What the runs of one source came to."""

    pipeline: fields.Pipeline
    source: fields.Source
    email_address: fields.EmailAddress
    median_seconds: Annotated[
        float | None, Meta(description="Half of the runs took no longer; null without any.")
    ]
    p95_seconds: Annotated[
        float | None, Meta(description="95 of 100 runs took no longer; null without any.")
    ]
    last_run_at: Annotated[
        datetime | None, Meta(description="When its last run in the time began.")
    ]
    last_success_at: Annotated[
        datetime | None, Meta(description="When it last succeeded in the time; null if never.")
    ]
    standing: Annotated[StandingDetail, Meta(description="How it stands now.")]


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs of a stretch of time came to."""

    since: Annotated[datetime, Meta(description="Start of the time looked at, in UTC.")]
    until: Annotated[datetime, Meta(description="End of the time looked at, in UTC.")]
    totals: Annotated[Outcomes, Meta(description="Of all sources together.")]
    sources: Annotated[
        list[SourceStatistics], Meta(description="Of each source that ran, by name.")
    ]
    timestamp: fields.Timestamp
