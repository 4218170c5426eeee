"""Cursors of a database for those who read: each is lent to one at a time, and all can be taken back."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import duckdb

from daemon.errors import StoreUnavailable

_UNREADABLE = (duckdb.OperationalError, duckdb.FatalException, duckdb.InternalError)
"""What is the matter with the database or the machine, and not with the query."""
_TIMES, _AGAIN_SECONDS = 500, 0.02
"""How often what is being read is interrupted, and how long it is let alone in between."""


class Lease:
    """A cursor that somebody reads with."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self.cursor = cursor
        self.is_over = False
        """Whether the cursor was taken back."""
        self.holding: list[Callable[[], None]] = []
        """Called when it is taken back, any number of times: ends what a query of it may be waiting for."""

    def interrupt(self) -> None:
        """Ends the query under way, if there is one."""
        with suppress(duckdb.Error):  # taken back meanwhile
            self.cursor.interrupt()

    def take_back(self) -> bool:
        """Ends what is being read, and whatever was not fetched yet; False while it has not ended."""
        self.is_over = True
        for let_go in list(self.holding):
            let_go()
        self.interrupt()
        try:
            self.cursor.close()
        except duckdb.Error:  # busy: an interruption is heeded soon, but not at once
            return False
        return True


class Leases:
    """Lends cursors until they are taken back, and again once the database is opened anew."""

    def __init__(self, connect: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._connect = connect
        self._idle: queue.SimpleQueue[duckdb.DuckDBPyConnection] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._lent: set[Lease] = set()
        self._lends = True

    @property
    def lent(self) -> int:
        """How many are lent at the moment."""
        return len(self._lent)

    @contextmanager
    def one(self) -> Iterator[Lease]:
        """A cursor for a while. Raises `StoreUnavailable` when the database cannot be read."""
        lease = self._lend()
        try:
            yield lease
        except BaseException as error:
            self._end(lease)
            if isinstance(error, _UNREADABLE) or (
                lease.is_over and isinstance(error, duckdb.Error)
            ):
                raise StoreUnavailable("the store cannot be read at the moment") from error
            raise
        self._put_back(lease)

    def _lend(self) -> Lease:
        with self._lock:
            if not self._lends:
                raise StoreUnavailable("the store is closed, or just being opened anew")
            try:
                cursor = self._idle.get_nowait()
            except queue.Empty:
                cursor = self._connect()
            lease = Lease(cursor)
            self._lent.add(lease)
            return lease

    def _end(self, lease: Lease) -> None:
        with self._lock:
            self._lent.discard(lease)
        with suppress(duckdb.Error):  # it is just being taken back
            lease.cursor.close()

    def _put_back(self, lease: Lease) -> None:
        with self._lock:
            self._lent.discard(lease)
            if not lease.is_over:
                self._idle.put(lease.cursor)

    def take_back(self) -> None:
        """Takes all cursors back, also from who is reading, and lends none until `lend_again`.

        An old database lives as long as somebody reads it, and whoever opens it anew gets the same one.
        Raises `StoreUnavailable` when something that is being read does not end.
        """
        with self._lock:
            self._lends = False
            left = list(self._lent)
        for _ in range(_TIMES):
            left = [lease for lease in left if not lease.take_back()]
            if not left:
                break
            time.sleep(_AGAIN_SECONDS)
        else:
            raise StoreUnavailable("something that is being read does not end")
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def lend_again(self) -> None:
        """After `take_back`."""
        with self._lock:
            self._lends = True
