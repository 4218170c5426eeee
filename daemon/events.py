"""What happens in the daemon, as frozen and serialisable records.

A `Run` handle makes one event of each call; the recorder stores them and tells the subscribers. All
times are UTC with offset, all durations seconds. An event may cross a process boundary as JSON.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from daemon.triage.taxonomy import FileStatus, RunState, RunStatus, Trigger


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An error as it reached us: the text and every structured fact that classification can use."""

    message: str
    exception_type: str | None = None
    """Qualified name, such as ``duckdb.ConversionException``; None for a bare message."""
    exception_bases: tuple[str, ...] = ()
    """Names of its base classes, nearest first, without ``Exception`` and above."""
    text: str = ""
    """The full text with the traceback, for the run's log; empty when it is the message."""
    http_status: int | None = None
    imap_code: str | None = None
    sqlstate: str | None = None
    errno: int | None = None
    error_class: str | None = None
    """DuckDB or Spark error class, or the reject type of a CSV row, such as ``CAST``."""
    retry_after: float | None = None
    """Seconds that the server asked to wait."""


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The version of a file that was processed and what came of it."""

    path: str
    """Relative to the ingestion's folder, with forward slashes."""
    size: int
    """Bytes."""
    mtime_ns: int
    content_hash: str
    """BLAKE2b of the bytes, 32 hex digits; empty when the file could not be read."""
    rows_loaded: int = 0
    rows_rejected: int = 0
    rejects: str | None = None
    """Name of the file below the rejects folder that holds the rejected rows."""
    repeated: bool = False
    """Whether these rows were stored and counted before: the file was only touched."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Items of a run by outcome."""

    succeeded: int = 0
    failed: int = 0
    skipped: int = 0


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Base of all events."""

    at: datetime


class RunEvent(Event, frozen=True, kw_only=True):
    """Something that happened in one run."""

    run_id: str
    pipeline: str
    source: str


class RunStarted(RunEvent, frozen=True, kw_only=True, tag="run_started"):
    """A run began."""

    cycle_id: str
    trigger: Trigger
    source_version: str = ""
    """Which configuration the source had; changes when the configuration does."""


class StepEntered(RunEvent, frozen=True, kw_only=True, tag="step_entered"):
    """A run entered a phase."""

    state: RunState
    text: str


class ProgressMade(RunEvent, frozen=True, kw_only=True, tag="progress_made"):
    """How far a run is. Held live only, the newest replaces the one before."""

    current: int
    total: int | None


class ItemSucceeded(RunEvent, frozen=True, kw_only=True, tag="item_succeeded"):
    """An item was processed; open failures of the same item are thereby resolved."""

    item: str
    file: FileFacts | None = None


class ItemSkipped(RunEvent, frozen=True, kw_only=True, tag="item_skipped"):
    """`count` items needed nothing, for instance files that did not change."""

    count: int = 1


class ItemFailed(RunEvent, frozen=True, kw_only=True, tag="item_failed"):
    """An item, or with ``item=None`` the run itself, failed for one cause."""

    item: str | None
    error: ErrorInfo
    step: str
    """The state and step in which it failed."""
    duration_seconds: float
    """Since the run began."""
    first_cause: bool = True
    """False for a further cause of an item that was counted already."""
    in_part: bool = False
    """Whether some of the item was processed all the same."""
    row_count: int | None = None
    """How many rows of the item this cause concerns."""
    sample_rows: tuple[int, ...] = ()
    column: str | None = None
    file: FileFacts | None = None


class RunEnded(RunEvent, frozen=True, kw_only=True, tag="run_ended"):
    """A run ended; the last event of its run."""

    status: RunStatus
    state: RunState
    step: str
    duration_seconds: float
    counts: Counts
    progress_current: int | None
    progress_total: int | None


class CycleStarted(Event, frozen=True, kw_only=True, tag="cycle_started"):
    """A sweep over a pipeline's sources began."""

    cycle_id: str
    pipeline: str
    trigger: Trigger
    sources: tuple[str, ...]


class CycleEnded(Event, frozen=True, kw_only=True, tag="cycle_ended"):
    """A sweep ended."""

    cycle_id: str
    pipeline: str
    outcome: RunStatus
    """success, partial, failed or interrupted."""
    duration_seconds: float


class CycleSkipped(Event, frozen=True, kw_only=True, tag="cycle_skipped"):
    """A due cycle did not run."""

    pipeline: str
    reason: str
    """overlap, missed or paused."""


class PipelinePaused(Event, frozen=True, kw_only=True, tag="pipeline_paused"):
    """A person paused (or resumed) a pipeline; it survives a restart."""

    pipeline: str
    paused: bool


class FilesMarked(Event, frozen=True, kw_only=True, tag="files_marked"):
    """A person decided about tracked files: retry, quarantine, ignore, or release.

    `status` is the file status they take. With RETRYING the next cycle reads them whether or not
    they changed.
    """

    pipeline: str
    source: str
    paths: tuple[str, ...]
    status: FileStatus


AnyEvent = (
    RunStarted
    | StepEntered
    | ProgressMade
    | ItemSucceeded
    | ItemSkipped
    | ItemFailed
    | RunEnded
    | CycleStarted
    | CycleEnded
    | CycleSkipped
    | PipelinePaused
    | FilesMarked
)


def encode(event: AnyEvent) -> bytes:
    """One event as JSON, for another process."""
    return msgspec.json.encode(event)


def decode(data: bytes) -> Any:
    """The event that `encode` wrote."""
    return msgspec.json.decode(data, type=AnyEvent)
