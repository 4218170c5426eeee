"""What DuckDB keeps in memory of blocks that it has read, given back whenever nobody uses it.

A query over months of failures reads many blocks, and DuckDB keeps as many as the memory limit allows.
The system's file cache holds them as well, so keeping them gains next to nothing and would make the
daemon as large as its limit for good.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import duckdb

from daemon.errors import StoreError
from daemon.store.statements import Statements

KEPT_BYTES = 2_000_000
"""What may stay: the blocks of the newest failures, which most questions are about."""


class Residue:
    """Counts the users of a database, and empties its cache when the last one leaves."""

    def __init__(
        self,
        connect: Callable[[], duckdb.DuckDBPyConnection],
        statements: Statements,
        memory_limit: int,
    ) -> None:
        self._connect = connect
        self._statements = statements
        self._memory_limit = memory_limit
        self._lock = threading.Lock()
        self._users = 0

    @contextmanager
    def use(self, *, again: bool = False) -> Iterator[None]:
        """While somebody uses the database, nothing is taken away.

        Nor is it after a use that succeeded and that another follows `again`, at once.
        """
        with self._lock:
            self._users += 1
        kept = False
        try:
            yield
            kept = again
        finally:
            # Whoever comes now waits for the lock, and so has all of the memory afterwards.
            with self._lock:
                self._users -= 1
                if self._users == 0 and not kept:
                    with suppress(duckdb.Error, StoreError):  # closed, or out of order
                        self._give_back()

    def _give_back(self) -> None:
        """Lowering the limit makes DuckDB let go of blocks, and its allocator of what is free."""
        with self._connect() as connection:
            try:
                self._limit(connection, KEPT_BYTES)
            finally:
                self._limit(connection, self._memory_limit)

    def _limit(self, connection: duckdb.DuckDBPyConnection, size: int) -> None:
        self._statements.execute(connection, f"SET memory_limit = '{size}B'")
