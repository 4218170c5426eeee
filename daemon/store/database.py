"""The one DuckDB database of the daemon: opened once, written by one thread, read through cursors."""

from __future__ import annotations

import queue
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import duckdb

from daemon.errors import (
    QueryTooLong,
    StoreCorrupt,
    StoreError,
    StoreLocked,
    StoreUnavailable,
)
from daemon.store.deadline import Deadline
from daemon.store.memory import Memory
from daemon.store.migrate import migrate, require_newest
from daemon.store.statements import Parameters, Statements

Row = tuple[Any, ...]
Answer = TypeVar("Answer")

_UNREADABLE = (duckdb.OperationalError, duckdb.FatalException, duckdb.InternalError)
"""What is the matter with the database or the machine, and not with the query."""


READERS = 3
"""Queries at the same time; more would share the same processors and memory and only wait inside."""
STREAMS = 2
"""Exports and logs at the same time."""
STREAM_SECONDS = 30.0
"""How long one more waits for its turn."""
REPORTS = 2
"""Queries of reports at the same time; a dashboard asks many at once."""
REPORT_SECONDS = 10.0
"""How long a report may take, and how long one more waits for its turn."""


class Reader(Protocol):
    """What answers queries."""

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a query."""
        ...

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query, if any."""
        ...


class Snapshot:
    """The database as it was at one moment, for several queries that must agree."""

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        statements: Statements,
        use: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """`use` surrounds each query."""
        self._cursor = cursor
        self._statements = statements
        self._use = use

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        with self._use():
            return self._statements.execute(self._cursor, sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        with self._use():
            return _first(self._statements.execute(self._cursor, sql, parameters))


class Database:
    """An open database. `writer` belongs to the writer thread; anyone may read through `cursor`."""

    def __init__(
        self,
        path: Path,
        *,
        memory_limit: int,
        read_only: bool = False,
        migrations: Mapping[str, Traversable] | None = None,
    ) -> None:
        """`migrations` are those that ledgers bring, besides the store's own."""
        self.path = path
        self._migrations = migrations or {}
        self._memory_limit = memory_limit
        self._read_only = read_only
        self._idle: queue.SimpleQueue[duckdb.DuckDBPyConnection] = queue.SimpleQueue()
        self._readers = threading.BoundedSemaphore(READERS)
        self._streams = threading.BoundedSemaphore(STREAMS)
        self._reports = threading.BoundedSemaphore(REPORTS)
        self._statements = Statements()
        self._memory = Memory(self._new_cursor, self._statements, memory_limit)
        self._root = self._open()
        self.writer = self._root.cursor()

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            if not self._read_only:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = duckdb.connect(
                str(self.path),
                read_only=self._read_only,
                config={
                    # A query runs in the thread that asks, so who is slow to read holds up nobody else.
                    "threads": 1,
                    "async_threads": 1,
                    "memory_limit": f"{self._memory_limit}B",
                    "preserve_insertion_order": False,
                    # Small blocks: a page of failures decodes little besides what it shows.
                    "default_block_size": "65536",
                    "autoinstall_known_extensions": False,
                    "autoload_known_extensions": False,
                },
            )
        except (duckdb.Error, OSError) as error:
            raise opening_error(self.path, error) from error
        try:
            if self._read_only:
                require_newest(connection, further=self._migrations)
            else:
                migrate(connection, further=self._migrations)
        except duckdb.Error as error:
            connection.close()
            raise opening_error(self.path, error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor for the calling thread alone, given back afterwards.

        Raises `StoreUnavailable` when the database cannot be read: closed, out of memory, disk gone.
        """
        with self._readers, self._lent() as cursor:
            yield cursor

    @contextmanager
    def slow_cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The same for a query whose answer goes to someone who may be slow to take it.

        Such queries wait for each other, and never keep the others waiting.
        """
        with self._stream(), self._lent() as cursor:
            yield cursor

    @contextmanager
    def _stream(self) -> Iterator[None]:
        if not self._streams.acquire(timeout=STREAM_SECONDS):
            raise StoreUnavailable("too many exports are being read at the moment; try again later")
        try:
            yield
        finally:
            self._streams.release()

    @contextmanager
    def writing(self, *, again: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """The write connection, for the writer thread alone; `again` if it goes on writing at once."""
        with self._memory.use(again=again):
            yield self.writer

    @contextmanager
    def _lent(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._memory.use(), self._taken() as cursor:
            yield cursor

    @contextmanager
    def _taken(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            cursor = self._idle.get_nowait()
        except queue.Empty:
            cursor = self._new_cursor()
        try:
            yield cursor
        except _UNREADABLE as error:
            cursor.close()
            raise StoreUnavailable("the store cannot be read at the moment") from error
        except BaseException:
            cursor.close()
            raise
        self._idle.put(cursor)

    def _new_cursor(self) -> duckdb.DuckDBPyConnection:
        try:
            return self._root.cursor()
        except duckdb.Error as error:
            raise StoreUnavailable("the store is closed") from error

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Queries that all see the database as it is now; between them memory is given back."""
        with (
            self._readers,
            self._taken() as cursor,
            self._transaction(cursor, self._memory.use) as snapshot,
        ):
            yield snapshot

    def ask(self, question: Callable[[Snapshot], Answer]) -> Answer:
        """What a question finds that needs little memory, as a page does.

        One that needs more after all is asked once more, with all there is.
        """
        with self._readers, self._memory.page(), self._taken() as cursor:
            try:
                with self._transaction(cursor) as snapshot:
                    return question(snapshot)
            except duckdb.OutOfMemoryException:
                pass
        with self.snapshot() as snapshot:
            return question(snapshot)

    @contextmanager
    def slow_snapshot(self) -> Iterator[Snapshot]:
        """The same for answers that are slow to be taken."""
        with (
            self._stream(),
            self._taken() as cursor,
            self._transaction(cursor, self._memory.use) as snapshot,
        ):
            yield snapshot

    @contextmanager
    def report(self, seconds: float = REPORT_SECONDS) -> Iterator[Snapshot]:
        """The same for what may take long: such queries wait for each other, and end after `seconds`.

        Raises `QueryTooLong` when they take longer, `StoreUnavailable` when their turn does not come.
        """
        if not self._reports.acquire(timeout=REPORT_SECONDS):
            raise StoreUnavailable("too many reports are being made at the moment; try again later")
        try:
            with (
                self._taken() as cursor,
                self._transaction(cursor, self._memory.use) as snapshot,
                Deadline(cursor.interrupt, seconds),
            ):
                yield snapshot
        except duckdb.InterruptException:
            raise QueryTooLong(
                f"this takes longer than {seconds:g} seconds; ask for a shorter time, longer "
                "intervals or fewer failures"
            ) from None
        finally:
            self._reports.release()

    @contextmanager
    def _transaction(
        self,
        cursor: duckdb.DuckDBPyConnection,
        use: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> Iterator[Snapshot]:
        cursor.execute("BEGIN")
        try:
            yield Snapshot(cursor, self._statements, use)
        finally:
            cursor.execute("ROLLBACK")

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a query."""
        with self.cursor() as cursor:
            return self._statements.execute(cursor, sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query, if any."""
        with self.cursor() as cursor:
            return _first(self._statements.execute(cursor, sql, parameters))

    def size(self) -> int:
        """Bytes of the database and its write-ahead log on disk."""
        files = (self.path, self.path.with_name(self.path.name + ".wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def free(self) -> int:
        """Bytes that are free on the file system of the database."""
        return shutil.disk_usage(self.path.parent).free

    def reopen(self) -> None:
        """Closes everything and opens anew, after an error that left the instance unusable."""
        self.close()
        self._root = self._open()
        self._memory.reopened()
        self.writer = self._root.cursor()

    def close(self) -> None:
        """Closes the database; idempotent."""
        while not self._idle.empty():
            self._idle.get_nowait().close()
        self.writer.close()
        self._root.close()


def _first(answer: duckdb.DuckDBPyConnection) -> Row | None:
    """The first row of a query that has few.

    All are fetched: an answer that is not read to its end keeps its transaction open. Until that ends
    DuckDB keeps every version of what is updated, and writes no checkpoint.
    """
    rows = answer.fetchall()
    return rows[0] if rows else None


def opening_error(path: Path, error: Exception) -> StoreError:
    """The `StoreError` that says what keeps `path` from being opened, and what to do."""
    text = str(error)
    if "Could not set lock" in text or "Conflicting lock" in text:
        holder = re.search(r"PID (\d+)", text)
        who = f" (process {holder[1]})" if holder else ""
        return StoreLocked(
            f"{path} is open in another process{who}. Only one triaged can use a database: stop the "
            "other one, or give this one another store.path."
        )
    if isinstance(error, StoreError):
        return error
    if _is_corrupt(error, text):
        return StoreCorrupt(
            f"{path} is damaged or is not a DuckDB database. Nothing was changed. Move the file away "
            f"(and {path.name}.wal, if there is one) and restore a backup, or start with a new one. "
            f"DuckDB says: {text.splitlines()[0][:300]}"
        )
    return StoreUnavailable(f"{path} cannot be opened: {text.splitlines()[0][:300]}")


def _is_corrupt(error: Exception, text: str) -> bool:
    damaged = (
        "not a valid DuckDB database",
        "Corrupt database",
        "checksum",
        "Failed to load metadata",
    )
    return any(word in text for word in damaged) or isinstance(
        error, duckdb.SerializationException | duckdb.InternalException | duckdb.FatalException
    )
