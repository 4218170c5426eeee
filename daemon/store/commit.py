"""Writes a batch in one transaction: rows, what they change, and the tally that counts them."""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta

import duckdb
import msgspec

from daemon.store import group_changes, retry_changes, rows, work
from daemon.store.attempts import Attempts, StoredAttempt
from daemon.store.batch import Batch
from daemon.store.columns.failures import FailureRow, GroupRow
from daemon.store.entries import FailedRun, NewFailure, TallyKey
from daemon.store.sql import SQL
from daemon.store.tables import Tables
from daemon.taxonomy import FailureStatus
from daemon.triage import strategy

_OPEN, _RESOLVED = FailureStatus.OPEN, FailureStatus.RESOLVED
_Kind = tuple[str, str, str, bool, str]
"""The fields of a `TallyKey`, which is made once a kind only."""

Unresolved = Callable[[str, str], bool]
"""Whether a pipeline's source has failures that are not resolved."""


class Transaction:
    """One batch on its way to the disk."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        buffer: rows.RowBuffer,
        batch: Batch,
        unresolved: Unresolved,
        number: int,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`number` is that of the batch, another for each that is stored."""
        self._connection = connection
        self._tables = Tables(connection, buffer)
        self._batch = batch
        self._unresolved = unresolved
        self._number = number
        self._jitter = jitter
        self.changes: Counter[TallyKey] = Counter()
        """By how much the numbers of failures changed, once it is committed."""
        self.failed_runs: list[FailedRun] = []
        """Runs of the batch that failed as a whole, once it is committed."""

    def commit(self) -> None:
        """Writes everything or nothing. It may fail though all is on disk: `is_stored` tells."""
        self._connection.execute("BEGIN")
        try:
            self._write()
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def is_stored(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Whether it is on disk, after a `commit` that failed and an opening anew."""
        return connection.execute(SQL["last_commit"]).fetchall() == [(self._number,)]

    def _roll_back(self) -> None:
        with suppress(duckdb.Error):  # a failed COMMIT has rolled back already
            self._connection.execute("ROLLBACK")

    def _write(self) -> None:
        batch = self._batch
        tables = self._tables
        self._connection.execute(SQL["number_commit"], [self._number])
        tables.insert("cycles", batch.cycles)
        tables.insert("run_log", batch.run_log)
        tables.insert("audit", batch.audit)
        tables.run(SQL["insert_runs"], batch.runs)
        tables.run(SQL["count_in_running"], batch.counted())
        tables.run(SQL["end_runs"], batch.run_ends)
        tables.run(SQL["end_cycles"], batch.cycle_ends)
        for pause in batch.pauses:
            self._connection.execute(SQL["resume_pipeline"], [pause.pipeline])
            if pause.paused:
                self._connection.execute(
                    SQL["pause_pipeline"], [pause.pipeline, pause.at.replace(tzinfo=None)]
                )
        stored = self._stored_attempts()
        self._write_failures(stored)
        self._apply_decisions(stored)
        for event in batch.group_events:
            group_changes.apply(self._connection, event)
        retry_changes.write(tables, batch.retries)
        work.write(tables, batch.work)

    def _write_failures(self, stored: Sequence[StoredAttempt]) -> None:
        failures = self._failure_rows(Attempts(stored))
        self._tables.run(SQL["insert_failures"], failures)
        first = failures[0].id if failures else 0
        self._batch.ledgers.write(self._tables, lambda new: failures[new.id - first])
        self._write_groups()
        self._count_new(failures)

    def _failure_rows(self, attempts: Attempts) -> list[FailureRow]:
        """The failures with the numbers of their attempts, which successes in between start anew."""
        successes = deque(d for d in self._batch.decisions if d.status == _RESOLVED)
        found = []
        for new in self._batch.failures:
            while successes and successes[0].before_id <= new.id:
                success = successes.popleft()
                attempts.succeed(success.item_key, success.run_id)
            attempt = attempts.fail(new.item_key, new.event.run_id)
            row = FailureRow.of(new, attempt, self._retry_at(new, attempt))
            found.append(row)
            if new.event.item is None:
                self.failed_runs.append(row.failed_run())
        return found

    def _retry_at(self, new: NewFailure, attempt: int) -> datetime | None:
        """When the next attempt is due by itself, if at all."""
        told = new.assessment
        wait = strategy.delay(told.strategy, attempt, told.category, told.retry_after, self._jitter)
        return None if wait is None else new.event.at + timedelta(seconds=wait)

    def _stored_attempts(self) -> list[StoredAttempt]:
        """What is stored of the batch's items that have unresolved failures."""
        sources = {(decision.pipeline, decision.source) for decision in self._batch.decisions}
        unresolved = {source for source in sources if self._unresolved(*source)}
        if not unresolved:
            return []
        concerned = [d for d in self._batch.decisions if (d.pipeline, d.source) in unresolved]
        asked = {
            "items": msgspec.json.encode({d.item_key for d in concerned}).decode(),
            "runs": msgspec.json.encode({d.run_id for d in concerned}).decode(),
        }
        return self._connection.execute(SQL["last_attempts"], asked).fetchall()

    def _write_groups(self) -> None:
        examples = {new.assessment.failure_group: new for new in self._batch.failures}
        groups = [GroupRow.of(new.event, new.assessment) for new in examples.values()]
        self._tables.run(SQL["insert_groups"], groups)

    def _count_new(self, failures: Sequence[FailureRow]) -> None:
        tally: defaultdict[tuple[date, _Kind, str], list[datetime]] = defaultdict(list)
        for f in failures:
            kind: _Kind = (f.pipeline, f.source, f.category, f.retryable, _OPEN)
            tally[f.error_time.date(), kind, f.failure_group].append(f.error_time)
        batch = []
        for (day, counted, group), times in tally.items():
            key = TallyKey(*counted)
            self.changes[key] += len(times)
            batch.append(
                rows.TallyRow(
                    day=day,
                    pipeline=key.pipeline,
                    source=key.source,
                    category=key.category,
                    retryable=key.retryable,
                    status=key.status,
                    failure_group=group,
                    n=len(times),
                    first_seen=min(times),
                    last_seen=max(times),
                )
            )
        self._tables.insert("failure_tally", batch)

    def _apply_decisions(self, stored: Sequence[StoredAttempt]) -> None:
        """Changes the status of earlier failures: resolved, superseded, quarantined, ignored."""
        earlier = self._batch.decided_again.union(item_key for item_key, _, _ in stored)
        concerned = [d for d in self._batch.decisions if d.item_key in earlier]
        if not concerned:
            return
        self._tables.run(SQL["find_changes"], concerned)
        changed = self._connection.execute(SQL["summed_changes"]).fetchall()
        if not changed:
            return
        self._connection.execute(SQL["tally_changes"])
        self._connection.execute(SQL["apply_changes"])
        for *key, n in changed:
            self.changes[TallyKey(*key)] += n
