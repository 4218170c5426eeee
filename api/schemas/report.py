"""Rows of reports: flat, so that a dashboard shows them as they are."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from api.schemas import fields
from api.schemas.groups import FailureGroup
from api.schemas.runs import RunDetail
from daemon.pipelines.catalog import Source
from daemon.standing import SourceStanding
from daemon.store import report_annotations, report_series, report_tables, report_values
from daemon.store.groups import StandingGroup as StoredGroup
from daemon.taxonomy import Category, Group, GroupState, RunStatus, Trigger

PointTime = Annotated[
    datetime,
    Meta(description="When the stretch begins, in UTC.", examples=["2026-01-31T07:00:00Z"]),
]
SeriesName = Annotated[
    str,
    Meta(
        description="Its values by which it is told apart, with ` / ` between them; `other` for all "
        "that have no series of their own.",
        examples=["mail / connection"],
    ),
]


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to process one source."""

    run_id: fields.RunId
    pipeline: fields.Pipeline
    source: fields.Source
    email_address: fields.EmailAddress
    status: Annotated[RunStatus, Meta(description="How the run stands or ended.")]
    trigger: Annotated[Trigger, Meta(description="What started it.", examples=["schedule"])]
    cycle_id: Annotated[str, Meta(description="Id of the cycle that it belongs to.")]
    start_time: Annotated[datetime, Meta(description="When it began, in UTC.")]
    end_time: Annotated[datetime | None, Meta(description="When it ended; null while it runs.")]
    duration_seconds: Annotated[
        float | None, Meta(description="How long it took; null while it runs.")
    ]
    items_succeeded: Annotated[int, Meta(description="Items processed.", examples=[97])]
    items_failed: Annotated[int, Meta(description="Items that failed.", examples=[3])]
    items_skipped: Annotated[int, Meta(description="Items that needed nothing.", examples=[0])]
    retryable_failures: Annotated[
        int, Meta(description="How many of its failures a retry may help.", examples=[1])
    ]
    final_step: Annotated[str, Meta(description="The last step it reached, in words.")]
    error_category: fields.CategoryOrNone
    error_message: fields.ErrorMessage
    user_message: fields.UserMessage
    suggested_action: fields.SuggestedAction
    log_url: fields.LogUrl
    next_cursor: fields.RowCursor

    @classmethod
    def of(cls, run: RunDetail, next_cursor: str) -> RunRow:
        """The run as a row."""
        counts = run.counts
        items: dict[str, Any] = {
            "items_succeeded": counts.succeeded,
            "items_failed": counts.failed,
            "items_skipped": counts.skipped,
        }
        names = [name for name in cls.__struct_fields__[:-1] if name not in items]
        shown = {name: getattr(run, name) for name in names}
        return cls(**shown, **items, next_cursor=next_cursor)


class GroupRow(msgspec.Struct, frozen=True, kw_only=True):
    """Failures with the same cause."""

    failure_group: Annotated[str, Meta(description="Id of the group, to filter by.")]
    pipeline: fields.Pipeline
    failed_step: Annotated[str, Meta(description="State that the runs were in.")]
    error_category: Annotated[Category, Meta(description="What kind of failure it is.")]
    error_group: Annotated[Group, Meta(description="The coarse side of the category.")]
    rule: Annotated[str, Meta(description="Rule that classified them.")]
    message: Annotated[str, Meta(description="The message with what varies replaced.")]
    user_message: Annotated[str, Meta(description="What happened, for a person.")]
    suggested_action: Annotated[str, Meta(description="What a person should do about it.")]
    exception_type: fields.ExceptionType
    state: Annotated[GroupState, Meta(description="Where the whole group stands.")]
    count: Annotated[int, Meta(description="Failures that match.", examples=[16])]
    open: Annotated[int, Meta(description="Of these not dealt with.", examples=[3])]
    retrying: Annotated[int, Meta(description="Of these about to be tried again.")]
    resolved: Annotated[int, Meta(description="Of these resolved by a later attempt.")]
    quarantined: Annotated[int, Meta(description="Of these set aside by a person.")]
    ignored: Annotated[int, Meta(description="Of these ignored by a person.")]
    retryable_count: Annotated[int, Meta(description="Of these that a retry may help.")]
    is_retryable: Annotated[bool, Meta(description="Whether a retry may help any of them.")]
    sources: Annotated[
        str, Meta(description="Sources concerned, at most 20.", examples=["orders, events"])
    ]
    first_seen: Annotated[datetime, Meta(description="When the first of them failed, in UTC.")]
    last_seen: Annotated[datetime, Meta(description="When the last of them failed, in UTC.")]

    @classmethod
    def of(cls, stored: StoredGroup) -> GroupRow:
        """The group as a row."""
        group = FailureGroup.of(stored)
        found = msgspec.structs.asdict(group) | msgspec.structs.asdict(group.counts)
        found["sources"] = ", ".join(group.sources)
        return cls(**{name: found[name] for name in cls.__struct_fields__})


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """How a source stands."""

    pipeline: fields.Pipeline
    source: fields.Source
    email_address: fields.EmailAddress
    enabled: Annotated[
        bool, Meta(description="Whether it is configured, and not switched off there.")
    ]
    last_status: Annotated[
        RunStatus | None, Meta(description="How its latest run stands; null before the first.")
    ]
    last_run_at: Annotated[datetime | None, Meta(description="When its latest run began.")]
    last_success_at: Annotated[
        datetime | None,
        Meta(description="When a run last ended without any failure, and left none open."),
    ]
    consecutive_failures: Annotated[
        int,
        Meta(description="Runs that failed in a row; at least 1 while it fails.", examples=[2]),
    ]
    failing_category: Annotated[
        Category | None,
        Meta(
            description="What it fails with most: its latest run, or failures that are open; null while it works.",
            examples=["connection"],
        ),
    ]
    open_failures: Annotated[
        int,
        Meta(
            description="Open failures, without those of groups that a person ignored or resolved.",
            examples=[3],
        ),
    ]

    @classmethod
    def of(
        cls,
        standing: SourceStanding,
        latest: report_tables.LatestRun | None,
        configured: Source | None,
    ) -> SourceRow:
        """How the source stands, with its latest run and what is configured of it."""
        return cls(
            pipeline=standing.pipeline,
            source=standing.source,
            email_address=configured.email_address if configured else None,
            enabled=configured is not None and configured.enabled,
            last_status=RunStatus(latest.status) if latest else None,
            last_run_at=latest.started_at if latest else None,
            last_success_at=standing.last_success,
            consecutive_failures=standing.consecutive_failures,
            failing_category=next(iter(standing.categories), None),
            open_failures=standing.open_failures,
        )


class CycleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep over the sources of a pipeline."""

    cycle_id: Annotated[str, Meta(description="Id of the cycle.")]
    pipeline: fields.Pipeline
    trigger: Annotated[str, Meta(description="What started it.", examples=["schedule"])]
    start_time: Annotated[datetime, Meta(description="When it began, in UTC.")]
    end_time: Annotated[datetime | None, Meta(description="When it ended; null while it runs.")]
    outcome: Annotated[
        str | None, Meta(description="How it ended; null while it runs.", examples=["partial"])
    ]
    duration_seconds: Annotated[
        float | None, Meta(description="How long it took; null while it runs.")
    ]
    runs: Annotated[int, Meta(description="Its runs.", examples=[12])]
    runs_failed: Annotated[int, Meta(description="Of these failed.", examples=[1])]
    items_failed: Annotated[int, Meta(description="Items that failed in them.", examples=[4])]

    @classmethod
    def of(cls, row: report_tables.CycleFigures) -> CycleRow:
        """The stored cycle."""
        return cls(
            cycle_id=row.cycle_id,
            pipeline=row.pipeline,
            trigger=row.started_by,
            start_time=row.started_at,
            end_time=row.ended_at,
            outcome=row.outcome,
            duration_seconds=row.duration_seconds,
            runs=row.runs,
            runs_failed=row.runs_failed,
            items_failed=row.items_failed,
        )


class AnnotationRow(msgspec.Struct, frozen=True, kw_only=True):
    """A mark on a graph."""

    time: Annotated[datetime, Meta(description="When it was, or began, in UTC.")]
    time_end: Annotated[datetime | None, Meta(description="When it ended; null for a moment.")] = (
        msgspec.field(name="timeEnd")
    )
    title: Annotated[str, Meta(description="What it is.", examples=["Run failed: mail/support"])]
    text: Annotated[str, Meta(description="What happened and what to do, masked.")]
    tags: Annotated[
        list[str],
        Meta(
            description="Kind, outcome, pipeline and so on; in CSV with commas between them.",
            examples=[["run", "failed", "mail", "support", "authentication"]],
        ),
    ]

    @classmethod
    def of(cls, mark: report_annotations.Mark) -> AnnotationRow:
        """The stored mark."""
        return cls(**mark._asdict())


class VariableValue(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a dashboard's variable."""

    text: Annotated[str, Meta(description="How it is shown.", examples=["orders"])] = msgspec.field(
        name="__text"
    )
    value: Annotated[str, Meta(description="What is filtered by.", examples=["orders"])] = (
        msgspec.field(name="__value")
    )

    @classmethod
    def of(cls, value: report_values.ShownValue) -> VariableValue:
        """The value found."""
        return cls(text=value.text, value=value.value)


class FailurePoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many failures there were in a stretch of time. Columns of `by` are there if asked for."""

    time: PointTime
    series: SeriesName
    count: Annotated[int, Meta(description="Failures in the stretch.", examples=[3])]
    pipeline: Annotated[str | None, Meta(description="Their pipeline.")] = None
    source: Annotated[str | None, Meta(description="Their source.")] = None
    category: Annotated[str | None, Meta(description="Their category.")] = None
    error_group: Annotated[str | None, Meta(description="The coarse side of it.")] = None
    retryable: Annotated[
        str | None, Meta(description="Whether a retry may help: `true` or `false`.")
    ] = None
    status: Annotated[str | None, Meta(description="Where they stand in their handling.")] = None
    rule: Annotated[str | None, Meta(description="Rule that classified them.")] = None
    failure_group: Annotated[str | None, Meta(description="Their cause.")] = None
    step: Annotated[str | None, Meta(description="State that their runs were in.")] = None


class RunPoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the runs of a stretch of time came to. Columns of `by` are there if asked for."""

    time: PointTime
    series: SeriesName
    count: Annotated[int, Meta(description="Runs that began in the stretch.", examples=[12])]
    median_seconds: Annotated[
        float | None, Meta(description="Half of them took no longer; null if none ended.")
    ]
    p95_seconds: Annotated[
        float | None, Meta(description="95 of 100 took no longer; null if none ended.")
    ]
    max_seconds: Annotated[float | None, Meta(description="None took longer; null if none ended.")]
    items_succeeded: Annotated[int, Meta(description="Items processed.", examples=[97])]
    items_failed: Annotated[int, Meta(description="Items that failed.", examples=[3])]
    items_skipped: Annotated[int, Meta(description="Items that needed nothing.", examples=[0])]
    pipeline: Annotated[str | None, Meta(description="Their pipeline.")] = None
    source: Annotated[str | None, Meta(description="Their source.")] = None
    category: Annotated[str | None, Meta(description="Why they failed.")] = None
    error_group: Annotated[str | None, Meta(description="The coarse side of it.")] = None
    status: Annotated[str | None, Meta(description="How they stand or ended.")] = None


RUN_FIGURES = dict(
    zip(
        (
            *("count", "median_seconds", "p95_seconds", "max_seconds"),
            *("items_succeeded", "items_failed", "items_skipped"),
        ),
        report_series.RunFigures._fields,
        strict=True,
    )
)
"""Columns of figures of runs, and what the store calls them."""


class ItemPoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many items had an outcome in a stretch of time. Columns of `by` are there if asked for."""

    time: PointTime
    series: SeriesName
    outcome: Annotated[
        str, Meta(description="`succeeded`, `failed` or `skipped`.", examples=["failed"])
    ]
    count: Annotated[int, Meta(description="Items of runs that began then.", examples=[3])]
    pipeline: Annotated[str | None, Meta(description="Pipeline of the runs.")] = None
    source: Annotated[str | None, Meta(description="Source of the runs.")] = None
    category: Annotated[str | None, Meta(description="Why the runs failed.")] = None
    error_group: Annotated[str | None, Meta(description="The coarse side of it.")] = None
    status: Annotated[str | None, Meta(description="How the runs stand or ended.")] = None
