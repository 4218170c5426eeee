"""What the recorder hands to the writer, and what the writer says once it is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from daemon.events import AnyEvent, ItemFailed
from daemon.triage.assessment import Assessment


class RunError(msgspec.Struct, frozen=True):
    """One of the causes in a run's summary."""

    failure_group: str
    category: str
    message: str
    count: int
    examples: tuple[str, ...]
    """Up to three items."""


class RunSummary(msgspec.Struct, frozen=True):
    """What a run's failures come to, made by the recorder while the run goes on."""

    retryable: int
    category: str | None
    error_message: str | None
    user_message: str | None
    suggested_action: str | None
    top_errors: tuple[RunError, ...]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An event ready to be stored: triaged, with nothing personal or secret in what is shown of it."""

    event: AnyEvent
    assessment: Assessment | None = None
    """Of an `ItemFailed`."""
    summary: RunSummary | None = None
    """Of a `RunEnded`."""
    shown_item: str | None = None
    """The item's name with addresses and secrets masked."""


class NewFailure(msgspec.Struct, frozen=True, gc=False):
    """A failure whose attempt number is still to be looked up."""

    id: int
    item_key: int
    event: ItemFailed
    assessment: Assessment
    shown_item: str | None


class TallyKey(NamedTuple):
    """A kind of failure as counted in memory."""

    pipeline: str
    source: str
    category: str
    retryable: bool
    status: str


class FailedRun(NamedTuple):
    """A run that failed as a whole: what decides when its source is tried again."""

    pipeline: str
    source: str
    run_id: str
    category: str
    retryable: bool
    attempt: int
    """Runs in a row that failed as a whole, this one included."""
    failed_at: datetime
    retry_at: datetime | None
    """When it may be tried again by itself; None for never."""


class RetriedRun(NamedTuple):
    """A run that was a retry, and what it failed with."""

    pipeline: str
    source: str
    category: str | None
    started_at: datetime


class Committed(NamedTuple):
    """A batch that is on disk."""

    entries: list[Entry]
    changes: Counter[TallyKey]
    """By how much the number of failures of a kind rose or fell."""
    seconds: float
    """How long the transaction took."""
    failed_runs: Sequence[FailedRun] = ()
