"""Reads retry operations: what was asked for, how far it is, and what could not be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from daemon.errors import NotFound
from daemon.store.columns.retries import RetryRecord
from daemon.store.database import Database
from daemon.store.filters import FailureFilter
from daemon.store.records import select, stored, utc
from daemon.store.retry_changes import Choice, choices, chosen_failures
from daemon.store.sql import SQL, query
from daemon.taxonomy import RunStatus


class SourceProgress(NamedTuple):
    """How far an operation is with one source, in items."""

    pipeline: str
    source: str
    items: int
    succeeded: int
    failed_again: int
    not_retried: int


class RetryTarget(msgspec.Struct, frozen=True):
    """An item that is still to be retried, and what has come of it since that was asked for."""

    failure_id: int
    pipeline: str
    source: str
    item: str | None
    """As it is shown: masked. None for the run itself."""
    item_key: int
    resolved: bool
    new_failure_id: int | None
    category: str | None


class Unsuccessful(msgspec.Struct, frozen=True):
    """An item that failed again, or could not be retried."""

    failure_id: int
    pipeline: str
    source: str
    item: str | None
    outcome: str
    reason: str | None
    new_failure_id: int | None
    category: str | None
    ended_at: datetime


class RetryRun(NamedTuple):
    """A run that an operation started, with its own failure, if it has one."""

    status: RunStatus
    failure_id: int | None
    category: str | None


class RetryPage(NamedTuple):
    """Some operations, newest first."""

    operations: list[RetryRecord]
    next_cursor: str | None


class UnsuccessfulPage(NamedTuple):
    """Some of what an operation failed on, by the id of the failure, and how many there are."""

    items: list[Unsuccessful]
    next_cursor: int | None
    total: int


class Retries:
    """Queries over retry operations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reader = database.read()

    def get(self, operation_id: str) -> RetryRecord:
        """One operation. Raises `NotFound`."""
        row = self._reader.row(
            query("retry_operation", columns=select(RetryRecord)), [operation_id]
        )
        if row is None:
            raise NotFound("there is no retry operation of that id")
        return _record(row)

    def page(self, limit: int, cursor: str | None = None) -> RetryPage:
        """The newest `limit` operations, after `cursor`."""
        rows = self._reader.rows(
            query("newest_retry_operations", columns=select(RetryRecord)),
            [cursor, limit + 1],
        )
        found = [_record(row) for row in rows[:limit]]
        return RetryPage(found, found[-1].operation_id if len(rows) > limit else None)

    def total(self) -> int:
        """How many operations there are."""
        row = self._reader.row(SQL["count_retry_operations"])
        return int(row[0]) if row else 0

    def unfinished(self) -> list[RetryRecord]:
        """Operations that have not ended, oldest first."""
        rows = self._reader.rows(query("unfinished_retry_operations", columns=select(RetryRecord)))
        return [_record(row) for row in rows]

    def progress(self, operation_ids: Sequence[str]) -> dict[str, list[SourceProgress]]:
        """How far operations are, by source."""
        rows = self._reader.rows(SQL["retry_progress"], [list(operation_ids)])
        found: dict[str, list[SourceProgress]] = {}
        for operation_id, *progress in rows:
            found.setdefault(operation_id, []).append(SourceProgress(*progress))
        return found

    def preview(
        self,
        failure_ids: Sequence[int] | None,
        f: FailureFilter,
        *,
        include_not_retryable: bool,
    ) -> tuple[Choice, list[SourceProgress]]:
        """What an operation would come to if it were asked for now."""
        where = chosen_failures(failure_ids, f)
        total, sources = Choice(), Counter[tuple[str, str]]()
        with self._database.read() as snapshot:
            for part in choices(snapshot.rows, where, include_not_retryable=include_not_retryable):
                for pipeline, source, *counts in snapshot.rows(
                    _PREVIEW.replace("{choice}", f"({part.sql})"), part.parameters
                ):
                    total += Choice(*counts)
                    sources[pipeline, source] += counts[1] - sum(counts[2:])
        return total, [
            SourceProgress(*name, items, 0, 0, 0)
            for name, items in sorted(sources.items())
            if items
        ]

    def unknown_failures(self, failure_ids: Sequence[int]) -> list[int]:
        """Those of `failure_ids` that are no stored failures."""
        rows = self._reader.rows(SQL["unknown_failures"], [list(failure_ids)])
        return [failure_id for (failure_id,) in rows]

    def sources_to_do(self, operation_id: str) -> list[tuple[str, str]]:
        """Pipelines and sources that have items without a result."""
        rows = self._reader.rows(SQL["retry_sources_to_do"], [operation_id])
        return [(pipeline, source) for pipeline, source in rows]

    def targets_to_do(
        self, operation: RetryRecord, pipeline: str, source: str, limit: int
    ) -> list[RetryTarget]:
        """The next items of a source without a result, in a fixed order."""
        rows = self._reader.rows(
            SQL["retry_targets_to_do"],
            {
                "operation": operation.operation_id,
                "asked_at": stored(operation.asked_at),
                "pipeline": pipeline,
                "source": source,
                "limit": limit,
            },
        )
        return [RetryTarget(*row) for row in rows]

    def run_of(self, cycle_id: str) -> RetryRun | None:
        """The run of a cycle of one source; None when it was not begun."""
        row = self._reader.row(SQL["retry_run"], [cycle_id])
        return RetryRun(RunStatus(row[0]), row[1], row[2]) if row else None

    def unsuccessful(
        self, operation_id: str, limit: int, after: int | None = None
    ) -> UnsuccessfulPage:
        """What the operation failed on, after the failure `after`."""
        total = self._reader.row(SQL["count_unsuccessful"], [operation_id])
        rows = self._reader.rows(
            query("unsuccessful", columns=select(Unsuccessful)),
            [operation_id, -1 if after is None else after, limit + 1],
        )
        found = [Unsuccessful(*map(utc, row)) for row in rows[:limit]]
        more = found[-1].failure_id if len(rows) > limit else None
        return UnsuccessfulPage(found, more, total[0] if total else 0)

    def pending(self, waiting: str) -> dict[str, int]:
        """Items that wait for another attempt in a ledger or in an operation, by pipeline.

        `waiting` is `Ledgers.waiting`. What waits in both counts once.
        """
        return dict(self._reader.rows(query("items_waiting", waiting=waiting)))


_PREVIEW = SQL["count_choice"].replace("SELECT", "SELECT pipeline, source,", 1) + " GROUP BY ALL"


def _record(row: tuple[Any, ...]) -> RetryRecord:
    return RetryRecord(*map(utc, row))
