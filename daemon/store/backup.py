"""Copies of the store that are whole, made while the daemon runs."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from daemon.errors import Conflict, StoreUnavailable
from daemon.store.writer import Writer

COPY_SECONDS = 600
_CHUNK = 1 << 20


class Backups:
    """Copies the store between two batches: what is acknowledged by then is in the copy."""

    def __init__(self, writer: Writer, store: Path) -> None:
        self._writer = writer
        self._store = store
        self._one_at_a_time = threading.Lock()

    def chunks(self) -> Iterator[bytes]:
        """One file of the store as it is now, which lies beside it meanwhile.

        Raises `Conflict` while there is another, `StoreUnavailable` when it cannot be copied.
        """
        if not self._one_at_a_time.acquire(blocking=False):
            raise Conflict("a backup is being made; try again when it is done")
        try:
            yield from copied(self._store, self._between_batches)
        finally:
            self._one_at_a_time.release()

    def _between_batches(self, copy: Path) -> None:
        done, failed = threading.Event(), list[str]()

        def copy_files(_: duckdb.DuckDBPyConnection) -> None:
            with suppress(StoreUnavailable):
                failed.append("")
                copy_store(self._store, copy)
                failed.clear()
            done.set()

        self._writer.do(copy_files)
        if not done.wait(COPY_SECONDS) or failed:
            raise StoreUnavailable("the store cannot be copied: is there room for it on its disk?")


def copied(store: Path, make_copy: Callable[[Path], None]) -> Iterator[bytes]:
    """One file of a copy that `make_copy` makes, which lies beside the store meanwhile. Raises `StoreUnavailable`."""
    with TemporaryDirectory(prefix=".backup-", dir=store.parent) as folder:
        copy = Path(folder) / store.name
        make_copy(copy)
        _fold(copy)
        with copy.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


def copy_store(store: Path, copy: Path) -> None:
    """Copies a store that nobody writes meanwhile, with its write-ahead log. Raises `StoreUnavailable`.

    In another process: one that closes a file loses all locks that it has on it.
    """
    for suffix in ("", ".wal"):
        source = store.with_name(store.name + suffix)
        if source.exists():
            done = subprocess.run(  # noqa: S603 (the paths are of the configuration)
                ["cp", "--", source, copy.with_name(copy.name + suffix)],  # noqa: S607
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
            if done.returncode:
                said = done.stderr.decode(errors="replace").strip()
                raise StoreUnavailable(f"{source} cannot be copied: {said}")


def _fold(copy: Path) -> None:
    """Makes one file of a copied store and its log. Raises `StoreUnavailable`."""
    try:
        with duckdb.connect(str(copy), config={"threads": 1}) as connection:
            connection.execute("CHECKPOINT")
    except duckdb.Error as error:
        raise StoreUnavailable(f"the copy of the store cannot be read: {error}") from error
