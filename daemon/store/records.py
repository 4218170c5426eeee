"""What is read from the store beyond whole rows, and how times are stored: in UTC, without offset."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import msgspec


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


class CountedTrend(msgspec.Struct, frozen=True):
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
