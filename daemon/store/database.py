"""The one DuckDB database of the daemon: opened once, written by one thread, read by any."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.resources.abc import Traversable
from pathlib import Path

import duckdb

from daemon.durable import make_private_folder
from daemon.errors import StoreCorrupt, StoreError, StoreLocked, StoreUnavailable
from daemon.store.leases import Leases
from daemon.store.memory import Memory
from daemon.store.migrate import migrate, require_newest
from daemon.store.reading import Need, Readers, Reading
from daemon.store.sql import SQL, query
from daemon.store.statements import Statements


class Database:
    """An open database. `writer` belongs to the writer thread; anyone may `read`."""

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
        statements = Statements()
        self._memory = Memory(self._new_cursor, statements, memory_limit)
        self.leases = Leases(self._new_cursor)
        self._readers = Readers(self.leases, self._memory, statements)
        self._root = self._open()
        self.writer = self._root.cursor()

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            if not self._read_only:
                make_private_folder(self.path.parent)
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

    def read(self, need: Need = Need.ALL) -> Reading:
        """Answers queries: each by itself, or as a context several that agree."""
        return Reading(partial(self._readers.begin, need))

    @contextmanager
    def writing(self, *, again: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """The write connection, for the writer thread alone; `again` if it goes on writing at once."""
        with self._memory.use(again=again):
            yield self.writer

    def _new_cursor(self) -> duckdb.DuckDBPyConnection:
        try:
            return self._root.cursor()
        except duckdb.Error as error:
            raise StoreUnavailable("the store is closed") from error

    def size(self) -> int:
        """Bytes of the database and its write-ahead log on disk."""
        files = (self.path, self.path.with_name(self.path.name + ".wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def free(self) -> int:
        """Bytes that are free on the file system of the database."""
        return shutil.disk_usage(self.path.parent).free

    def reopen(self) -> None:
        """Closes everything and opens anew, after an error that left the instance unusable. Raises `StoreError`.

        What is being read ends, with `StoreUnavailable`.
        """
        self.close()
        self._root = self._open()
        self._memory.reopened()
        self.writer = self._root.cursor()
        self.leases.lend_again()

    def close(self) -> None:
        """Closes the database, also under those who read it; idempotent. Raises `StoreUnavailable`."""
        self.leases.take_back()
        try:
            self.writer.close()
            self._root.close()
        except duckdb.Error as error:
            raise StoreUnavailable(f"the store cannot be closed: {error}") from error


@contextmanager
def told_apart(path: Path) -> Iterator[None]:
    """Raises the `StoreError` that says what is wrong with the database at `path` in place of DuckDB's own error."""
    try:
        yield
    except duckdb.Error as error:
        raise opening_error(path, error) from error


@contextmanager
def hold(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A store that is there, to be read while nobody writes it. Raises `StoreError`."""
    with (
        told_apart(path),
        duckdb.connect(str(path), read_only=True, config={"threads": 1}) as connection,
    ):
        yield connection


def read_all(path: Path) -> Iterator[tuple[str, int]]:
    """Reads every value of a store; the name and the rows of each table. Raises `StoreError`."""
    with hold(path) as connection:
        for (table,) in connection.execute(SQL["tables"]).fetchall():
            counted = connection.execute(query("read_all", table=f'"{table}"')).fetchall()
            yield table, counted[0][0]


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
