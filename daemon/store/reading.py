"""How the store is read: one way, told what an answer needs of memory, time and turns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import Enum, auto
from types import TracebackType
from typing import Any, Protocol

import duckdb

from daemon.errors import PageTooLarge, QueryTooLong, StoreUnavailable
from daemon.store.deadline import Deadline
from daemon.store.leases import Lease, Leases
from daemon.store.memory import Memory
from daemon.store.statements import Parameters, Statements

Row = tuple[Any, ...]

READERS = 3
"""Queries at the same time; more would share the same processors and memory and only wait inside."""
STREAMS = 2
"""Exports and logs at the same time."""
STREAM_SECONDS = 30.0
"""How long one more waits for its turn."""
STREAMS_WAITING = 2
"""So many wait, each of which holds a thread of those that answer everybody else; more are refused at once."""
REPORTS = 2
"""Queries of reports at the same time; a dashboard asks many at once."""
REPORT_SECONDS = 10.0
"""How long a report may take, and how long one more waits for its turn."""
_BATCH = 500
"""Rows of a stream that are held at once."""


class Need(Enum):
    """What an answer needs."""

    PAGE = auto()
    """Little memory, which the next page may use as it is left. Raises `PageTooLarge` if that is not enough."""
    ALL = auto()
    """Any memory there is, given back after each query."""
    STREAM = auto()
    """The same for who may be slow to take the answer: streams wait for each other, and for nobody else."""
    REPORT = auto()
    """The same for what may take long: reports wait for each other, and end with `QueryTooLong`."""


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
        lease: Lease,
        statements: Statements,
        use: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """`use` surrounds each query."""
        self.lease = lease
        self._cursor = lease.cursor
        self._statements = statements
        self._use = use

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        with self._use():
            return self._statements.execute(self._cursor, sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query that has few.

        All are fetched: an answer that is not read to its end keeps its transaction open. Until that
        ends DuckDB keeps every version of what is updated, and writes no checkpoint.
        """
        rows = self.rows(sql, parameters)
        return rows[0] if rows else None

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """The rows of a query one after the other, in flat memory."""
        with self._use():
            answer = self._statements.execute(self._cursor, sql, parameters)
            while batch := answer.fetchmany(_BATCH):
                yield from batch


class Reading:
    """A `Reader` that takes each query by itself, or as a context several that agree (`Snapshot`).

    Any number of threads may use one; a context is entered once.
    """

    def __init__(self, begin: Callable[[], AbstractContextManager[Snapshot]]) -> None:
        self._begin = begin

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        with self._begin() as snapshot:
            return snapshot.rows(sql, parameters)

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        with self._begin() as snapshot:
            return snapshot.row(sql, parameters)

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """The rows of a query one after the other, in flat memory."""
        with self._begin() as snapshot:
            yield from snapshot.stream(sql, parameters)

    def __enter__(self) -> Snapshot:
        self._begun = self._begin()
        return self._begun.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._begun.__exit__(kind, error, traceback)


_ANY_NUMBER = 1_000_000


class _Turns:
    """Places of which each is held by one; one more waits, for `seconds` at most, if no more than `waiting` do."""

    def __init__(
        self,
        places: int,
        seconds: float | None = None,
        refusal: str = "",
        waiting: int = _ANY_NUMBER,
    ) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._room = threading.BoundedSemaphore(places + waiting)
        self._seconds = seconds
        self._refusal = refusal

    @contextmanager
    def one(self) -> Iterator[None]:
        """Raises `StoreUnavailable` when none comes free."""
        if not self._room.acquire(blocking=False):
            raise StoreUnavailable(self._refusal)
        try:
            if not self._places.acquire(timeout=self._seconds):
                raise StoreUnavailable(self._refusal)
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._room.release()


class Readers:
    """Everybody who reads a database, each on a cursor of their own."""

    def __init__(self, leases: Leases, memory: Memory, statements: Statements) -> None:
        self._leases = leases
        self._memory = memory
        self._statements = statements
        soon = _Turns(READERS)
        self._turns = {
            Need.PAGE: soon,
            Need.ALL: soon,
            Need.STREAM: _Turns(
                STREAMS,
                STREAM_SECONDS,
                "too many exports are being read at the moment; try again later",
                STREAMS_WAITING,
            ),
            Need.REPORT: _Turns(
                REPORTS,
                REPORT_SECONDS,
                "too many reports are being made at the moment; try again later",
            ),
        }

    @contextmanager
    def begin(self, need: Need) -> Iterator[Snapshot]:
        """The database as it is now. It never changes through this.

        Raises `StoreUnavailable` when it cannot be read: closed, out of memory, disk gone.
        """
        with self._turns[need].one(), self._leases.one() as lease:
            lease.cursor.execute("BEGIN")
            try:
                with self._bounded(need, lease) as use:
                    yield Snapshot(lease, self._statements, use)
            finally:
                if not lease.is_over:
                    lease.cursor.execute("ROLLBACK")

    @contextmanager
    def _bounded(
        self, need: Need, lease: Lease
    ) -> Iterator[Callable[[], AbstractContextManager[None]]]:
        """The bounds of a need, and what surrounds each of its queries."""
        if need is Need.PAGE:
            with self._memory.page():
                try:
                    yield nullcontext
                except duckdb.OutOfMemoryException:
                    raise PageTooLarge from None
        elif need is Need.REPORT:
            try:
                with Deadline(lease.interrupt, REPORT_SECONDS):
                    yield self._memory.use
            except duckdb.InterruptException:
                if lease.is_over:
                    raise
                raise QueryTooLong(
                    f"this takes longer than {REPORT_SECONDS:g} seconds; ask for a shorter time, "
                    "longer intervals or fewer failures"
                ) from None
        else:
            yield self._memory.use
