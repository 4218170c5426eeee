"""The owner's database: opened when there is something to load, closed when the run ends.

Two sources may run at the same time in threads; they share one open database, closed by the last.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from daemon.durable import make_private_folder
from daemon.pipelines.ingest import failures, ledger, memory
from daemon.pipelines.ingest.sql import literal
from daemon.pipelines.ingest.trial import TrialReader

_THREADS = 2


class Warehouse:
    """One DuckDB database, opened at most once in this process."""

    def __init__(self, path: Path, memory_limit: int) -> None:
        """`memory_limit` is in bytes."""
        self.path = path
        self.memory_limit = memory_limit
        self._guard = threading.Lock()
        self._database: duckdb.DuckDBPyConnection | None = None
        self._users = 0
        self._tables: dict[str, threading.Lock] = {}
        self._left: _Stamp = ()
        """The files as they were when the database was closed here."""
        self._agreed: set[str] = set()
        """Sources of which the store was compared with the ledger since its owner changed anything."""

    @contextmanager
    def session(self, timezone: str) -> Iterator[WarehouseSession]:
        """Access for one run, for which times are in a zone; nothing is opened until it is used."""
        session = WarehouseSession(self, timezone)
        try:
            yield session
        finally:
            session.close()

    @contextmanager
    def writing(self, table: str) -> Iterator[None]:
        """Only one file at a time goes into a table, so that transactions cannot collide."""
        with self._guard:
            lock = self._tables.setdefault(table.lower(), threading.Lock())
        with lock:
            yield

    def is_as_known(self, source: str) -> bool:
        """Whether the store can be trusted about what the warehouse holds of a source."""
        with self._guard:
            self._notice_changes()
            return source in self._agreed

    def agrees(self, source: str) -> None:
        """Remembers that what the store knows of a source is what the ledger says."""
        with self._guard:
            self._agreed.add(source)

    def _notice_changes(self) -> None:
        """While the database is open here, nobody else can change it."""
        if self._database is None and (not self._left or self._left != _stamp(self.path)):
            self._agreed.clear()

    def acquire(self) -> duckdb.DuckDBPyConnection:
        """A connection; raises `WarehouseError` when the database cannot be opened."""
        with self._guard:
            if self._database is None:
                self._notice_changes()
                self._database = self._open()
            self._users += 1
            return self._database.cursor()

    def release(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Gives a connection back. The last one closes the database, which checkpoints it."""
        connection.close()
        with self._guard:
            self._users -= 1
            if self._users or self._database is None:
                return
            self._database.close()
            self._database = None
            self._left = _stamp(self.path)
            memory.give_back()

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            make_private_folder(self.path.parent)
            database = duckdb.connect(
                str(self.path),
                config={
                    "threads": _THREADS,
                    "memory_limit": f"{self.memory_limit}B",
                    "temp_directory": f"{self.path}.tmp",
                    # it would keep what it read under the name of a descriptor that is used again
                    "enable_external_file_cache": False,
                },
            )
            ledger.create(database)
        except duckdb.Error as error:
            raise failures.while_opening(error) from None
        return database


_Stamp = tuple[tuple[int, ...] | None, ...]


def _stamp(path: Path) -> _Stamp:
    """What changes when anybody writes to the database, removes it or puts another in its place."""
    return tuple(_stamp_of(place) for place in (path, path.with_name(f"{path.name}.wal")))


def _stamp_of(place: Path) -> tuple[int, ...] | None:
    try:
        found = place.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class WarehouseSession:
    """One run's use of the warehouse."""

    def __init__(self, warehouse: Warehouse, timezone: str) -> None:
        self.warehouse = warehouse
        self._timezone = timezone
        self.trial = TrialReader(_THREADS, warehouse.memory_limit)
        self._connection: duckdb.DuckDBPyConnection | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection, opened by its first use; raises `WarehouseError`."""
        if self._connection is None:
            self._connection = self.warehouse.acquire()
            self._connection.execute(f"SET TimeZone = {literal(self._timezone)}")
        return self._connection

    def interrupt(self) -> None:
        """Stops the statement that runs, if any does. May be called from another thread."""
        connection = self._connection
        if connection is not None:
            connection.interrupt()
        self.trial.interrupt()

    def close(self) -> None:
        """Closes what is open; closing twice does nothing, and using it again opens it again."""
        self.trial.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            self.warehouse.release(connection)
