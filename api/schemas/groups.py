"""Failures gathered: by cause, and over time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from api.schemas import fields
from daemon.store import records
from daemon.triage.taxonomy import CATEGORIES, Category, Group

Interval = Literal["hour", "day"]
TrendKey = Literal["category", "pipeline", "source", "status", "failure_group"]


class StatusCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Failures by where they stand in their handling."""

    open: Annotated[int, Meta(description="Not dealt with.", examples=[3])]
    retrying: Annotated[int, Meta(description="About to be tried again.", examples=[0])]
    resolved: Annotated[int, Meta(description="A later attempt succeeded.", examples=[12])]
    quarantined: Annotated[int, Meta(description="Set aside by a person.", examples=[0])]
    ignored: Annotated[int, Meta(description="Ignored by a person.", examples=[1])]


class FailureGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Failures with the same cause: what can be fixed, and retried, together."""

    failure_group: Annotated[
        str, Meta(description="Id of the group, to filter by.", examples=["9f86d081884c7d65"])
    ]
    pipeline: fields.Pipeline
    failed_step: Annotated[
        str, Meta(description="State that the runs were in.", examples=["connecting"])
    ]
    error_category: Annotated[
        Category, Meta(description="What kind of failure it is.", examples=["connection"])
    ]
    error_group: Annotated[
        Group, Meta(description="The coarse side of the category.", examples=["network"])
    ]
    rule: Annotated[
        str, Meta(description="Rule that classified them.", examples=["connection-refused"])
    ]
    message: Annotated[
        str,
        Meta(
            description="The message with numbers, names and ids replaced.",
            examples=["[Errno <n>] Connection refused"],
        ),
    ]
    user_message: Annotated[str, Meta(description="What happened, for a person.")]
    suggested_action: Annotated[str, Meta(description="What a person should do about it.")]
    exception_type: fields.ExceptionType
    count: Annotated[int, Meta(description="Failures that match.", examples=[16])]
    counts: Annotated[StatusCounts, Meta(description="The same by status.")]
    is_retryable: Annotated[bool, Meta(description="Whether trying any of them again may help.")]
    sources: Annotated[
        list[str],
        Meta(description="Sources concerned, by name, at most 20.", examples=[["orders"]]),
    ]
    first_seen: Annotated[datetime, Meta(description="When the first of them failed, in UTC.")]
    last_seen: Annotated[datetime, Meta(description="When the last of them failed, in UTC.")]

    @classmethod
    def of(cls, record: records.GroupRecord) -> FailureGroup:
        """The stored group."""
        category = Category(record.category)
        return cls(
            failure_group=record.failure_group,
            pipeline=record.pipeline,
            failed_step=record.step,
            error_category=category,
            error_group=CATEGORIES[category].group,
            rule=record.rule,
            message=record.message,
            user_message=record.user_message,
            suggested_action=record.suggested_action,
            exception_type=record.exception_type,
            count=record.count,
            counts=StatusCounts(
                open=record.open,
                retrying=record.retrying,
                resolved=record.resolved,
                quarantined=record.quarantined,
                ignored=record.ignored,
            ),
            is_retryable=record.retryable,
            sources=record.sources,
            first_seen=record.first_seen,
            last_seen=record.last_seen,
        )


class FailureGroupList(msgspec.Struct, frozen=True, kw_only=True):
    """Groups that match, those with the most open failures first."""

    groups: Annotated[list[FailureGroup], Meta(description="This page of them.")]
    total_groups: Annotated[int, Meta(description="All that match.", examples=[7])]
    next_offset: Annotated[
        int | None,
        Meta(description="Value of `offset` for the next page; null on the last.", examples=[20]),
    ]
    timestamp: fields.Timestamp


class TrendPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Failures in one stretch of time."""

    start: Annotated[
        datetime, Meta(description="Start of the stretch, UTC.", examples=["2026-01-31T07:00:00Z"])
    ]
    count: Annotated[int, Meta(description="Failures in it.", examples=[5])]


class TrendSeries(msgspec.Struct, frozen=True, kw_only=True):
    """Failures of one kind over time."""

    key: Annotated[
        str,
        Meta(
            description="The category, pipeline, source, status or group.", examples=["connection"]
        ),
    ]
    total: Annotated[int, Meta(description="Failures in the whole time.", examples=[42])]
    points: Annotated[
        list[TrendPoint],
        Meta(description="Oldest first; stretches without failures are left out."),
    ]

    @classmethod
    def gather(cls, points: Iterable[records.TrendPoint]) -> list[TrendSeries]:
        """One series for each key, largest first."""
        found: dict[str, list[TrendPoint]] = {}
        for point in points:
            shown = TrendPoint(start=point.start, count=point.count)
            found.setdefault(point.key, []).append(shown)
        series = [
            cls(key=key, total=sum(point.count for point in shown), points=shown)
            for key, shown in found.items()
        ]
        return sorted(series, key=lambda one: one.total, reverse=True)


class FailureTrends(msgspec.Struct, frozen=True, kw_only=True):
    """Failures over time, one series a kind, largest first."""

    interval: Annotated[Interval, Meta(description="Length of a stretch.")]
    by: Annotated[TrendKey, Meta(description="What makes a series.")]
    since: Annotated[datetime, Meta(description="Start of the time looked at, in UTC.")]
    until: Annotated[datetime, Meta(description="End of the time looked at, in UTC.")]
    series: Annotated[list[TrendSeries], Meta(description="The most frequent kinds, at most 100.")]
    timestamp: fields.Timestamp
