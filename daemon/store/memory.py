"""How much memory DuckDB may use at the moment, and what of it is given back.

A query over months of failures reads many blocks, and DuckDB keeps as many as its limit allows. The
system's file cache holds them as well, so keeping them gains next to nothing and would make the daemon as
large as that limit for good. So the limit is low but while it is needed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import duckdb

from daemon.errors import StoreError
from daemon.store.statements import Statements

PAGE_BYTES = 16_000_000
"""What a page of failures may use. Within that blocks stay: fresh memory takes a fifth of the slowest pages' time."""
KEPT_BYTES = 2_000_000
"""What may stay for good: the blocks of the newest failures, which most questions are about."""
IDLE_SECONDS = 1.0
"""How long what pages have left may stay."""


class Memory:
    """Counts the users of a database and sets its limit; what they leave is given back after the last one."""

    def __init__(
        self,
        connect: Callable[[], duckdb.DuckDBPyConnection],
        statements: Statements,
        limit: int,
    ) -> None:
        """`limit` is what all may use together, and what the database was opened with."""
        self._connect = connect
        self._statements = statements
        self._most = limit
        self._page = min(PAGE_BYTES, limit)
        self._lock = threading.Lock()
        self._limit: int | None = limit
        """None when DuckDB did not say whether it took the last one."""
        self._users = self._pages = 0
        self._left = False
        """Whether pages have left anything since it was given back."""
        self._timer: threading.Timer | None = None

    @contextmanager
    def use(self, *, again: bool = False) -> Iterator[None]:
        """All of the memory for a while: nothing is taken away meanwhile.

        Nor is it after a use that succeeded and that another follows `again`, at once.
        """
        with self._lock:
            self._users += 1
            # Not while somebody else is at it: a commit that finds no room leaves the database unusable.
            if self._left and not self._pages and self._users == 1:
                self._give_back()
            self._set(self._most)
        kept = False
        try:
            yield
            kept = again
        finally:
            # Whoever comes now waits for the lock, and so has all of the memory afterwards.
            with self._lock:
                self._users -= 1
                if not self._users and not kept:
                    self._rest()

    @contextmanager
    def page(self) -> Iterator[None]:
        """As much as a page of failures needs, for each page that is asked for at the same time.

        What is more than that fails, with DuckDB's `OutOfMemoryException`.
        """
        with self._lock:
            self._pages += 1
            self._make_room()
        try:
            yield
        finally:
            with self._lock:
                self._pages -= 1
                self._left = True
                self._make_room()
                if self._timer is None:
                    self._wait()

    def reopened(self) -> None:
        """The database is another one now, with all of the memory."""
        with self._lock:
            self._limit = self._most

    def _make_room(self) -> None:
        if not self._users:
            self._set(min(self._page * max(self._pages, 1), self._most))

    def _rest(self) -> None:
        """Nobody needs all of it any more."""
        if not self._pages:
            self._give_back()
        self._make_room()

    def _give_back(self) -> None:
        """Lowering the limit makes DuckDB let go of blocks, and its allocator of what is free."""
        self._set(KEPT_BYTES)
        self._left = False

    def _wait(self) -> None:
        self._timer = threading.Timer(IDLE_SECONDS, self._idle)
        self._timer.daemon = True
        self._timer.start()

    def _idle(self) -> None:
        with self._lock:
            self._timer = None
            if self._left and not self._users and not self._pages:
                self._rest()

    def _set(self, limit: int) -> None:
        """Sets the limit, if DuckDB can make do with it."""
        if limit != self._limit:
            self._limit = None
            with suppress(duckdb.Error, StoreError), self._connect() as connection:
                self._statements.execute(connection, f"SET memory_limit = '{limit}B'")
                self._limit = limit
