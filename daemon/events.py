"""What happens in the daemon, as frozen and serialisable records.

A `Run` handle makes one event of each call; the recorder stores them and tells the subscribers. All
times are UTC with offset, all durations seconds. An event may cross a process boundary as JSON.

Nothing in an event leads back to it, so Python's collector of cycles need not look at any (`gc=False`).
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from daemon.taxonomy import (
    AuditOutcome,
    GroupDecision,
    Priority,
    RetryOutcome,
    RetryReason,
    RetryState,
    RunState,
    RunStatus,
    Trigger,
    WorkState,
)


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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


class Rows(NamedTuple):
    """Rows of an item by what became of them."""

    loaded: int
    rejected: int


class Facts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of what a ledger takes: of an item, or of a person's decision. Each kind has a tag of its own.

    The core hands facts on without looking at them.
    """

    def rows(self) -> Rows | None:
        """The rows that are to be counted for the item; None without any."""
        return None


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Items of a run by outcome."""

    succeeded: int = 0
    failed: int = 0
    skipped: int = 0


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="event"):
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
    facts: Facts | None = None


class ItemSkipped(RunEvent, frozen=True, kw_only=True, tag="item_skipped"):
    """`count` items needed nothing, for instance files that did not change."""

    count: int = 1
    gone: str | None = None
    """The item that it is about, if nothing is left of it to be done: its failures are resolved."""


class RunNoted(RunEvent, frozen=True, kw_only=True, tag="run_noted"):
    """A run said something to a ledger that concerns no item of its own."""

    facts: Facts


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
    facts: Facts | None = None


class RunEnded(RunEvent, frozen=True, kw_only=True, tag="run_ended"):
    """A run ended; the last event of its run."""

    status: RunStatus
    state: RunState
    step: str
    duration_seconds: float
    counts: Counts
    progress_current: int | None
    progress_total: int | None
    earlier_failures: int = 0
    """Failures of earlier runs that were open still, of a run that would have been a success without them."""


class Work(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One run that was asked for. It waits until its turn comes."""

    cycle_id: str
    """What it belongs to. A cycle has each source once."""
    pipeline: str
    source: str
    trigger: Trigger
    priority: Priority
    asked_at: datetime


class WorkEvent(Event, frozen=True, kw_only=True):
    """Something that happened to work that is kept in the store until it is done."""


class WorkQueued(WorkEvent, frozen=True, kw_only=True, tag="work_queued"):
    """Somebody asked for it."""

    work: Work


class WorkChanged(WorkEvent, frozen=True, kw_only=True, tag="work_changed"):
    """It has its turn, is done, or was interrupted in good order and waits again."""

    cycle_id: str
    source: str
    state: WorkState


class CycleEvent(Event, frozen=True, kw_only=True):
    """Something about the cycles of one pipeline."""

    pipeline: str


class CycleStarted(CycleEvent, frozen=True, kw_only=True, tag="cycle_started"):
    """A sweep over a pipeline's sources began."""

    cycle_id: str
    trigger: Trigger
    sources: tuple[str, ...]


class CycleEnded(CycleEvent, frozen=True, kw_only=True, tag="cycle_ended"):
    """A sweep ended."""

    cycle_id: str
    outcome: RunStatus
    """success, partial, failed or interrupted."""
    duration_seconds: float


class CycleSkipped(CycleEvent, frozen=True, kw_only=True, tag="cycle_skipped"):
    """A due cycle did not run, or not with all of its sources."""

    reason: str
    """overlap, missed or paused."""
    sources: tuple[str, ...] = ()
    """Those that were left out of it because they had not done with the one before."""
    began: bool = False
    """Whether it began with the others."""


class PipelinePaused(Event, frozen=True, kw_only=True, tag="pipeline_paused"):
    """A person paused (or resumed) a pipeline; it survives a restart."""

    pipeline: str
    paused: bool


class LedgerChanged(Event, frozen=True, kw_only=True, tag="ledger_changed"):
    """A person decided about what a ledger holds; the facts say what."""

    facts: Facts


class GroupEvent(Event, frozen=True, kw_only=True):
    """A person decided something about failure groups."""

    by: str | None = None
    """Name of the API key, or ``local`` without keys."""


class GroupDecided(GroupEvent, frozen=True, kw_only=True, tag="group_decided"):
    """A group was resolved, ignored or reopened as of a moment."""

    failure_group: str
    decision: GroupDecision
    as_of: datetime
    """What occurred up to then, however late it is recorded, does not undo the decision."""
    until: datetime | None = None
    """When ignoring ends."""
    note: str | None = None


class GroupsMerged(GroupEvent, frozen=True, kw_only=True, tag="groups_merged"):
    """Groups are shown as part of another from now on."""

    failure_groups: tuple[str, ...]
    into: str


class GroupUnmerged(GroupEvent, frozen=True, kw_only=True, tag="group_unmerged"):
    """A merged group stands by itself again, or lets go of those that were merged into it."""

    failure_group: str


class GroupSplit(GroupEvent, frozen=True, kw_only=True, tag="group_split"):
    """Failures of a group are a group of their own, and so are later ones like them."""

    failure_group: str
    """The group as it was shown."""
    members: tuple[str, ...]
    """Of the groups that it consists of, those that failures are split off from."""
    text: str
    """What the messages of these failures hold; empty for all failures of the members."""
    split_group: str


class RetryEvent(Event, frozen=True, kw_only=True):
    """Something that happened to a retry operation."""

    operation_id: str


class RetryRequested(RetryEvent, frozen=True, kw_only=True, tag="retry_requested"):
    """A person asked for failures to be retried. Which items these are is resolved as it is stored."""

    asked_by: str
    """Name of the API key, or ``local`` without keys."""
    selection: str
    """What was asked for, as JSON to be shown."""
    failure_ids: tuple[int, ...] | None
    filter: str | None
    """A `daemon.store.filters.FailureFilter` as JSON, when there are no `failure_ids`."""
    include_not_retryable: bool
    rate: int | None
    """Items a minute; None for as fast as can be."""


class RetryResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one item of a retry operation."""

    failure_id: int
    """The failure that was to be retried, by which the operation knows the item."""
    pipeline: str
    outcome: RetryOutcome
    reason: RetryReason | None = None
    new_failure_id: int | None = None
    category: str | None = None
    """Of the new failure."""


class RetryProgressed(RetryEvent, frozen=True, kw_only=True, tag="retry_progressed"):
    """Some items of a retry operation have a result."""

    results: tuple[RetryResult, ...]


class RetryChanged(RetryEvent, frozen=True, kw_only=True, tag="retry_changed"):
    """A retry operation began, ended, or was cancelled. One that has ended stays as it is."""

    state: RetryState
    error: str | None = None
    """Why it failed."""


class Audited(Event, frozen=True, kw_only=True, tag="audited"):
    """Somebody changed something, or tried to and was refused."""

    by: str
    """Name of the API key, or ``local``."""
    action: str
    """What was asked for, by a stable name such as ``pipelines.pause``."""
    subject: str | None
    """What it was asked of; None where the details say it."""
    outcome: AuditOutcome
    reason: str | None = None
    """Why it was refused, from a closed vocabulary."""
    details: str | None = None
    """What else the request said, as JSON: masked and cut."""


AnyGroupEvent = GroupDecided | GroupsMerged | GroupUnmerged | GroupSplit
AnyRetryEvent = RetryRequested | RetryProgressed | RetryChanged
AnyWorkEvent = WorkQueued | WorkChanged
AnyEvent = (
    RunStarted
    | StepEntered
    | ProgressMade
    | ItemSucceeded
    | ItemSkipped
    | ItemFailed
    | RunNoted
    | RunEnded
    | CycleStarted
    | CycleEnded
    | CycleSkipped
    | AnyWorkEvent
    | PipelinePaused
    | LedgerChanged
    | AnyGroupEvent
    | AnyRetryEvent
    | Audited
)
"""Every event that there is. A match over it ends in `assert_never`."""
