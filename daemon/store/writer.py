"""The one thread that writes: fed by a queue, committing in groups, waiting out what can pass."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple, get_args

import duckdb

from daemon.clock import Clock
from daemon.errors import RecorderClosed, StoreError, UnknownEvent
from daemon.events import (
    AnyGroupEvent,
    GroupSplit,
    ItemFailed,
    ItemSkipped,
    ItemSucceeded,
    LedgerChanged,
    RunNoted,
    StepEntered,
)
from daemon.parts import Part
from daemon.store.acknowledged import Acknowledged
from daemon.store.batch import Batch
from daemon.store.commit import Transaction
from daemon.store.database import Database
from daemon.store.entries import Committed, Entry
from daemon.store.ledger import Ledgers
from daemon.store.rows import RowBuffer
from daemon.store.splits import Splits
from daemon.store.sql import SQL
from daemon.store.standing import Standing

log = logging.getLogger("triaged.store")

BATCH_LIMIT = 10_000
QUEUE_LIMIT = 50_000
RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)

_DATA_ERRORS = (
    duckdb.ConversionException,
    duckdb.ConstraintException,
    duckdb.InvalidInputException,
    duckdb.BinderException,
    duckdb.OutOfRangeException,
    # What cannot even be made a row of: an own pipeline may report anything.
    *(ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError),
)


_BOUNDED = (ItemFailed, ItemSucceeded, ItemSkipped, RunNoted, StepEntered)
"""Events that wait for room in the queue. The few others always find some, so a run can end."""
_ALONE = frozenset({LedgerChanged, *get_args(AnyGroupEvent)})
"""What a person decided about what is stored: a batch of its own, in its order."""


class Trouble(NamedTuple):
    """Why the store cannot be written at the moment."""

    message: str
    since: float
    """On the monotonic clock."""


class Writer(Part):
    """Owns the database's write connection from `start` to `stop`.

    `put` blocks while the queue is full, so a store that cannot be written slows the runs down
    rather than lose what they report. Entries are announced by `announce` once they are on disk.

    A stop writes what is queued. A store that cannot be written is tried until the time is up; what is
    `pending` then is written after the next start.
    """

    patience = 10.0

    def __init__(
        self,
        database: Database,
        ledgers: Ledgers,
        clock: Clock,
        announce: Callable[[Committed], None],
        prepare: Callable[[Entry], Entry] | None = None,
    ) -> None:
        """`prepare` makes of an entry what is stored; without it entries are stored as they come."""
        super().__init__("writer")
        self.standing = Standing.read(database)
        self._splits = Splits.read(database)
        self.errors = 0
        """Failed attempts to write since the start."""
        self.trouble: Trouble | None = None
        self._database = database
        self._ledgers = ledgers
        self._clock = clock
        self._announce = announce
        self._prepare = prepare
        self._queue: deque[Entry] = deque()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._put = 0
        self._done = 0
        self._closing = False
        self._abandon = threading.Event()
        self._refused = 0
        """Entries of batches under way that were refused, and are not counted as done yet."""
        self._jobs: deque[Callable[[duckdb.DuckDBPyConnection], None]] = deque()
        self._next_id = self._read("next_failure_id")
        self._commits = self._read("last_commit")
        """The number of the last batch that was stored."""
        self._acknowledged: Acknowledged
        self._tried: Transaction | None = None
        """The transaction of the batch under way that failed, which may be on disk all the same."""
        self._buffer: RowBuffer
        self._thread: threading.Thread

    def _read(self, name: str) -> int:
        found = self._database.read().row(SQL[name])
        assert found is not None
        return int(found[0])

    def _start(self) -> None:
        self._closing = False
        self._abandon.clear()
        self._acknowledged = Acknowledged(self._database.path, self._commits)
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """Entries that are not on disk yet."""
        return self._put - self._done

    def put(self, entry: Entry) -> int:
        """Queues an entry; returns its position, for `wait`.

        Raises `RecorderClosed`, and `UnknownEvent` for what would be stored nowhere.
        """
        with self._lock:
            self._require_known(entry)
            if len(self._queue) >= QUEUE_LIMIT and isinstance(entry.event, _BOUNDED):
                self._changed.wait_for(lambda: len(self._queue) < QUEUE_LIMIT or self._closing)
            if self._closing:
                raise RecorderClosed
            self._queue.append(entry)
            self._put += 1
            if len(self._queue) == 1:
                self._changed.notify_all()
            return self._put

    def _require_known(self, entry: Entry) -> None:
        try:
            self._ledgers.require(entry.event)
        except UnknownEvent as error:
            self._refuse(entry, error)
            raise

    def wait(self, position: int, timeout: float | None = None) -> bool:
        """Waits till everything up to `position` is on disk; False when the time ran out."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._done >= position or self._abandon.is_set(), timeout
            )
            return self._done >= position

    def flush(self, timeout: float | None = None) -> bool:
        """Waits till everything queued so far is on disk."""
        return self.wait(self._put, timeout)

    def do(self, job: Callable[[duckdb.DuckDBPyConnection], None]) -> None:
        """Lets the thread do some upkeep between two batches; counts are read anew after it."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def _stop(self, seconds: float) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(seconds)
        with self._changed:
            self._abandon.set()
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        try:
            with closing(RowBuffer()) as self._buffer, closing(self._acknowledged):
                self._serve()
        except BaseException:
            log.critical(
                "nothing more can be stored; restart triaged",
                exc_info=True,
                extra={"event": "writer_died"},
            )
            self.trouble = Trouble(
                "the writer has stopped; restart triaged", self._clock.monotonic()
            )
        with self._changed:
            self._closing = True
            self._abandon.set()
            self._changed.notify_all()

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._jobs or self._closing)
                job = self._jobs.popleft() if self._jobs else None
                entries = self._take() if job is None else []
                if job is None and not entries and self._closing:
                    return
            if job is not None:
                if not self._do(job):
                    return
            else:
                ready, done = self._prepared(entries), self._done
                self._refused += len(entries) - len(ready)
                if not self._write(ready):
                    self._queue.extendleft(reversed(ready[self._done - done :]))
                    return
                # Only now, since `wait` goes by numbers: nothing before a refused one may be missing.
                self._count_done(self._refused)
                self._refused = 0

    def _prepared(self, entries: list[Entry]) -> list[Entry]:
        """Each once, whatever becomes of the batch; one that cannot be prepared is refused."""
        if self._prepare is None:
            return entries
        ready: list[Entry] = []
        for entry in entries:
            try:
                ready.append(self._prepare(entry))
            except Exception as error:  # noqa: BLE001 (an event must not end the writer)
                self._refuse(entry, error)
        return ready

    def _count_done(self, entries: int) -> None:
        with self._changed:
            self._done += entries
            self._changed.notify_all()

    def _take(self) -> list[Entry]:
        """The next batch, empty when nothing is queued."""
        queue = self._queue
        if queue and type(queue[0].event) in _ALONE:
            return [queue.popleft()]
        entries: list[Entry] = []
        while queue and len(entries) < BATCH_LIMIT and type(queue[0].event) not in _ALONE:
            entries.append(queue.popleft())
        return entries

    def _do(self, job: Callable[[duckdb.DuckDBPyConnection], None]) -> bool:
        """Does the job once. False when told to give up on a store that cannot be written after it."""
        try:
            with self._database.writing() as connection:
                job(connection)
            self.standing.replace(Standing.read(self._database))
        except (duckdb.Error, StoreError, OSError, MemoryError) as error:
            self._note(error)
            # Nobody may have anything to store for long, but all want to read.
            return self._write([])
        except Exception:
            log.exception("upkeep of the store failed", extra={"event": "upkeep_failed"})
        return True

    def _write(self, entries: list[Entry]) -> bool:
        """Commits, trying again until it works; False when told to give up."""
        attempt, self._tried = 0, None
        while True:
            try:
                stored = self._commit(entries)
                break
            except _DATA_ERRORS as error:
                return self._isolate(entries, error)
            except duckdb.OutOfMemoryException as error:
                self._note(error)
                if len(entries) > 1:
                    return self._write_halves(entries)
            except (duckdb.Error, StoreError, OSError, MemoryError) as error:
                self._note(error)
            wait = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
            attempt += 1
            if self._abandon.wait(wait):
                return False
            self._recover()
        self._clear()
        self._announce(stored)
        self._count_done(len(entries))
        return True

    def _commit(self, entries: list[Entry]) -> Committed:
        begun = self._clock.monotonic()
        entries = self._splits.place(entries)
        batch = Batch.of(entries, self._next_id, self._ledgers.begin())
        unresolved = self.standing.has_unresolved
        again = len(self._queue) >= BATCH_LIMIT
        with self._database.writing(again=again) as connection:
            done = self._tried
            if done is None or not done.is_stored(connection):
                done = self._tried = Transaction(
                    connection, self._buffer, batch, unresolved, self._commits + 1
                )
                done.commit()
        self._acknowledged.note(self._commits + 1)
        self._commits += 1
        self._next_id = batch.next_id
        self.standing.apply(done.changes)
        for entry in entries:
            if isinstance(entry.event, GroupSplit):
                self._splits.add(entry.event)
        seconds = self._clock.monotonic() - begun
        return Committed(entries, done.changes, seconds, done.failed_runs)

    def _write_halves(self, entries: list[Entry]) -> bool:
        middle = len(entries) // 2
        return self._write(entries[:middle]) and self._write(entries[middle:])

    def _isolate(self, entries: list[Entry], error: Exception) -> bool:
        """Finds the entry that DuckDB refuses, so that one cannot hold up all the others."""
        if len(entries) > 1:
            return self._write_halves(entries)
        for entry in entries:
            self._refuse(entry, error)
        self._count_done(len(entries))
        return True

    def _refuse(self, entry: Entry, error: Exception) -> None:
        self.errors += 1
        log.critical(
            "an event could not be stored and is only in this log",
            extra={
                "event": "event_refused",
                "reason": str(error)[:500],
                "refused": type(entry.event).__name__,
                "text": entry.assessment.message if entry.assessment else "",
                "run_id": getattr(entry.event, "run_id", None),
            },
        )

    def _note(self, error: Exception) -> None:
        self.errors += 1
        message = str(error).splitlines()[0][:300] or type(error).__name__
        if self.trouble is None:
            log.error(
                "the store cannot be written; what is recorded waits until it can",
                extra={"event": "store_unwritable", "reason": message, "waiting": self.pending},
            )
            self.trouble = Trouble(message, self._clock.monotonic())
        else:
            self.trouble = Trouble(message, self.trouble.since)

    def _clear(self) -> None:
        if self.trouble is not None:
            seconds = self._clock.monotonic() - self.trouble.since
            log.info(
                "the store can be written again",
                extra={"event": "store_recovered", "seconds": round(seconds, 1)},
            )
            self.trouble = None

    def _recover(self) -> None:
        """Opens the database anew when the error has left it unusable."""
        try:
            self._database.writer.execute("SELECT 1").fetchall()
        except duckdb.Error:
            try:
                self._database.reopen()
                self._look_for_losses()
            except StoreError as error:
                self._note(error)

    def _look_for_losses(self) -> None:
        """A store that lost something while it was open is told of now, and at the next start refused."""
        stored = self._read("last_commit")
        if stored < self._commits:
            log.critical(
                "the store has lost what was stored; see `triaged check-store`",
                extra={"event": "store_incomplete", "missing": self._commits - stored},
            )
