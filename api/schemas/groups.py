"""Failures gathered: by cause, and over time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from api.schemas import fields
from api.schemas.failures import FailureDetail
from daemon.store import records
from daemon.store.groups import StandingGroup as StoredGroup
from daemon.taxonomy import CATEGORIES, Category, Group, GroupDecision, GroupState

Interval = Literal["hour", "day"]
TrendKey = Literal["category", "pipeline", "source", "status", "failure_group"]


class StatusCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Failures by where they stand in their handling."""

    open: Annotated[int, Meta(description="Not dealt with.", examples=[3])]
    retrying: Annotated[int, Meta(description="About to be tried again.", examples=[0])]
    resolved: Annotated[int, Meta(description="A later attempt succeeded.", examples=[12])]
    quarantined: Annotated[int, Meta(description="Set aside by a person.", examples=[0])]
    ignored: Annotated[int, Meta(description="Ignored by a person.", examples=[1])]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decided about a group."""

    decision: Annotated[GroupDecision, Meta(description="What was decided.", examples=["resolved"])]
    as_of: Annotated[
        datetime,
        Meta(
            description="What occurred up to then does not undo it, however late it is recorded.",
            examples=["2026-01-31T08:00:00Z"],
        ),
    ]
    until: Annotated[
        datetime | None, Meta(description="When ignoring ends; null when it does not.")
    ]
    note: Annotated[
        str | None,
        Meta(description="What the person said about it, masked.", examples=["fixed in 2.4.1"]),
    ]
    by: Annotated[
        str | None,
        Meta(description="Name of the API key, or local without keys.", examples=["on-call"]),
    ]
    at: Annotated[datetime, Meta(description="When it was decided, in UTC.")]

    @classmethod
    def of(cls, record: records.DecisionRecord) -> Decision:
        """The stored decision."""
        return cls(
            decision=GroupDecision(record.decision),
            as_of=record.as_of,
            until=record.until,
            note=record.note,
            by=record.decided_by,
            at=record.decided_at,
        )


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
    retryable_count: Annotated[
        int, Meta(description="Failures that match and that a retry may help.", examples=[16])
    ]
    state: Annotated[
        GroupState,
        Meta(
            description="Where the whole group stands, whatever was asked for, by when its failures "
            "occurred.",
            examples=["open"],
        ),
    ]
    decision: Annotated[
        Decision | None,
        Meta(description="The decision of a person that counts; null when there is none."),
    ]
    merged: Annotated[
        list[str], Meta(description="Ids of the groups that a person merged into this one.")
    ]
    split_from: Annotated[
        str | None,
        Meta(description="Id of the group that a person split it off from; null for any other."),
    ]
    split_text: Annotated[
        str | None,
        Meta(
            description="The text in the messages by which it was split off; null for any other.",
            examples=["customers.csv"],
        ),
    ]
    fingerprint_version: Annotated[
        int, Meta(description="Version of the algorithm that made the group.", examples=[1])
    ]

    @classmethod
    def of(cls, group: StoredGroup) -> FailureGroup:
        """The stored group."""
        return cls(**fields_of(group))


def fields_of(group: StoredGroup) -> dict[str, Any]:
    """What every answer says of a group."""
    record = group.record
    category = Category(record.category)
    return {
        "failure_group": record.failure_group,
        "pipeline": record.pipeline,
        "failed_step": record.step,
        "error_category": category,
        "error_group": CATEGORIES[category].group,
        "rule": record.rule,
        "message": record.message,
        "user_message": record.user_message,
        "suggested_action": record.suggested_action,
        "exception_type": record.exception_type,
        "count": record.count,
        "counts": StatusCounts(
            open=record.open,
            retrying=record.retrying,
            resolved=record.resolved,
            quarantined=record.quarantined,
            ignored=record.ignored,
        ),
        "is_retryable": record.retryable,
        "sources": record.sources,
        "first_seen": record.first_seen,
        "last_seen": record.last_seen,
        "retryable_count": record.retryable_count,
        "state": group.state,
        "decision": Decision.of(group.decision) if group.decision else None,
        "merged": group.merged,
        "split_from": group.split.split_from if group.split else None,
        "split_text": group.split.text if group.split else None,
        "fingerprint_version": record.fingerprint_version,
    }


class AffectedSource(msgspec.Struct, frozen=True, kw_only=True):
    """How a source is affected by a cause."""

    pipeline: fields.Pipeline
    source: fields.Source
    count: Annotated[int, Meta(description="Its failures in the group.", examples=[12])]
    pending: Annotated[
        int,
        Meta(description="Those of them that are `open` or `retrying`.", examples=[3]),
    ]
    last_seen: Annotated[datetime, Meta(description="When the last of them failed, in UTC.")]

    @classmethod
    def of(cls, record: records.GroupSource) -> AffectedSource:
        """The stored numbers."""
        return cls(
            pipeline=record.pipeline,
            source=record.source,
            count=record.count,
            pending=record.pending,
            last_seen=record.last_seen,
        )


class FailureGroupDetail(FailureGroup, frozen=True, kw_only=True):
    """A whole failure group, with the sources that it affects and its newest failure."""

    retryable_share: Annotated[
        float, Meta(description="Share of the failures that a retry may help.", examples=[0.75])
    ]
    sample: Annotated[FailureDetail, Meta(description="The newest failure.")]
    affected_sources: Annotated[
        list[AffectedSource],
        Meta(description="This page of the sources, those with the most failures first."),
    ]
    total_sources: Annotated[int, Meta(description="All of them.", examples=[2])]
    next_offset: Annotated[
        int | None,
        Meta(description="Value of `offset` for the next page; null on the last.", examples=[20]),
    ]
    next_cursor: Annotated[
        str | None,
        Meta(description="Value of `cursor` for the next page; null on the last.", examples=["20"]),
    ]
    timestamp: fields.Timestamp


class GroupsUnmerged(msgspec.Struct, frozen=True, kw_only=True):
    """What stands by itself again."""

    failure_groups: Annotated[
        list[str],
        Meta(description="Ids of the groups.", examples=[["9f86d081884c7d65"]]),
    ]
    timestamp: fields.Timestamp


class FailureGroupList(msgspec.Struct, frozen=True, kw_only=True):
    """Groups that match, those with the most open failures first."""

    groups: Annotated[list[FailureGroup], Meta(description="This page of them.")]
    total_groups: Annotated[int, Meta(description="All that match.", examples=[7])]
    next_offset: Annotated[
        int | None,
        Meta(description="Value of `offset` for the next page; null on the last.", examples=[20]),
    ]
    next_cursor: Annotated[
        str | None,
        Meta(description="Value of `cursor` for the next page; null on the last.", examples=["20"]),
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
    def gather(cls, points: Iterable[records.CountedTrend]) -> list[TrendSeries]:
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
