"""What was acknowledged last, in a small file beside the store: so that a store that has lost it is noticed.

DuckDB takes a write-ahead log that was cut, emptied or removed for one that ends there. The number of each batch
is in the store (`commits`) and, once the batch is on disk, in this file. It is not synced: a crash of the machine may
leave an older number in it, never a later one than the store had.
"""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from daemon.durable import read_regular
from daemon.errors import StoreIncomplete, StoreUnavailable
from daemon.store.sql import SQL

_DIGITS = 20


def path_beside(store: Path) -> Path:
    """The file that belongs to a store."""
    return store.with_name(f"{store.name}.last")


def last_acknowledged(store: Path) -> int:
    """The number in the file; 0 when there is none, or a crash of the machine has left it empty."""
    try:
        text = read_regular(path_beside(store)).decode("ascii", errors="replace").strip()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StoreUnavailable(f"{error.filename} cannot be read: {error.strerror}") from error
    return int(text) if text.isascii() and text.isdigit() else 0


def require_complete(store: Path) -> None:
    """Raises `StoreIncomplete` when the store lacks what was acknowledged; changes nothing.

    What is wrong with the store otherwise is left to its opening.
    """
    acknowledged = last_acknowledged(store)
    if acknowledged and store.exists():
        found = last_stored(store)
        if found is not None and found < acknowledged:
            raise StoreIncomplete(
                f"{store} lacks the last {acknowledged - found} of {acknowledged} batches that were stored: it, or "
                f"{store.name}.wal, was cut, emptied, removed or replaced by an older one. Nothing was changed. Put "
                "the missing file back or restore a backup; `triaged check-store --accept-loss` goes on without them"
            )


def last_stored(store: Path) -> int | None:
    """The number of the last batch in a store that nobody has open; None when it cannot be read, or has none yet."""
    try:
        with duckdb.connect(str(store), read_only=True, config={"threads": 1}) as connection:
            ((number,),) = connection.execute(SQL["last_commit"]).fetchall()
            return int(number)
    except duckdb.Error:
        return None


class Acknowledged:
    """Keeps the file up to date."""

    def __init__(self, store: Path, number: int) -> None:
        """`number` is that of the last batch in the store. Raises `StoreUnavailable`."""
        path = path_beside(store)
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags, 0o600)
            self.note(number)
        except OSError as error:
            raise StoreUnavailable(f"{path} cannot be written: {error.strerror}") from error

    def note(self, number: int) -> None:
        """The batch of this number is on disk. Raises `OSError`."""
        os.pwrite(self._descriptor, f"{number:0{_DIGITS}d}\n".encode(), 0)

    def close(self) -> None:
        """Ends it."""
        os.close(self._descriptor)
