"""CSV written by DuckDB itself into a pipe: as fast as COPY, in flat memory."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, get_args

import msgspec

from daemon import formulas
from daemon.store.database import Database
from daemon.store.filters import Where
from daemon.store.reading import Need, Snapshot
from daemon.store.rows import FreeText

_PIPE_BYTES = 256 * 1024

Statements = Callable[[Snapshot, str], Iterator[Where]]
"""What to run one after the other to write into a file, given what to read and the file's name.

What one statement has read is forgotten before the next.
"""


def cells(
    record: type[msgspec.Struct], names: Iterable[str], outside: Mapping[str, str], **made: str
) -> str:
    """SQL of the columns of a CSV: those of a record, by the names that they have outside, or `made`."""
    columns = {field.name: field.type for field in msgspec.structs.fields(record)}
    cell = {outside.get(name, name): _cell(name, kind) for name, kind in columns.items()} | made
    return ", ".join(f'{cell[name]} AS "{name}"' for name in names)


def _cell(column: str, kind: Any) -> str:
    kinds = (kind, *get_args(kind))
    if FreeText in kinds:
        return text_cell(column)
    return time_cell(column) if datetime in kinds else column


def time_cell(column: str) -> str:
    """SQL of a time in ISO 8601."""
    return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%fZ')"


def text_cell(column: str) -> str:
    """SQL of a text that no spreadsheet runs as a formula: of what `formulas.defuse` makes of it.

    Most texts begin with a letter and need two comparisons.
    """
    pattern = formulas.PATTERN.replace("'", "''")
    return (
        f"CASE WHEN ({column} < 'A' OR {column} >= '{formulas.FULLWIDTH[0]}') "
        f"AND regexp_matches({column}, '{pattern}') "
        f"THEN '''' || {column} ELSE {column} END"
    )


def copy_to(file: str, query: Where, *, header: bool) -> Where:
    """A statement that writes what a query answers."""
    return Where(
        f"COPY ({query.sql}) TO '{file}' (FORMAT csv, HEADER {header}, USE_TMP_FILE false)",
        query.parameters,
    )


def stream(database: Database, statements: Statements) -> Iterator[bytes]:
    """What the statements write, as it is made, all of it as of the moment of the first.

    Stopping early ends the query. Raises the error of the query.
    """
    return _Stream(database, statements).read()


class _Stream:
    def __init__(self, database: Database, statements: Statements) -> None:
        self._database = database
        self._statements = statements
        self._lock = threading.Lock()
        self._reading: int | None = None
        self._error: BaseException | None = None

    def read(self) -> Iterator[bytes]:
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._reading = reading
        thread = threading.Thread(target=self._copy_to, args=(writing,), daemon=True)
        thread.start()
        try:
            while data := os.read(reading, _PIPE_BYTES):
                yield data
        finally:
            with self._lock:
                self._reading = None
            os.close(reading)
            thread.join()
        if self._error is not None:
            raise self._error

    def _copy_to(self, writing: int) -> None:
        try:
            with self._database.read(Need.STREAM) as snapshot:
                snapshot.lease.holding.append(self._cut)
                for statement in self._statements(snapshot, f"/dev/fd/{writing}"):
                    snapshot.row(statement.sql, statement.parameters)
        except BaseException as error:  # noqa: BLE001 (raised again where the stream is read)
            self._error = error
        finally:
            os.close(writing)

    def _cut(self) -> None:
        """Lets a statement fail that waits for a slow reader, who finds the end in place of the rest."""
        with self._lock:
            if self._reading is not None:
                nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
                os.dup2(nothing, self._reading, inheritable=False)
                os.close(nothing)
