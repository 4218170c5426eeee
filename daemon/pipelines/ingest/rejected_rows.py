"""Rejected rows, read page by page or as one stream, with little memory however many there are."""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Iterator
from contextlib import suppress

import duckdb
import msgspec

from daemon.errors import InvalidQuery
from daemon.pipelines.ingest.rejects import RawLayout, Rejects
from daemon.pipelines.ingest.sql import literal, one_path

_BATCH = 2000
_FIELDS = "path, row_number, column_name, error_class, cause, reason, raw"


class StoredRejection(msgspec.Struct, frozen=True):
    """One row that was set aside."""

    path: str
    row_number: int
    """As a spreadsheet counts: the header of a CSV file is row 1; JSON and Parquet start at 1."""
    column_name: str | None
    error_class: str
    cause: str
    """Class and column: what rows with the same fault share."""
    reason: str | None
    raw: str


class Filter(msgspec.Struct, frozen=True):
    """Which rows are wanted; None leaves a field open."""

    path: str | None = None
    cause: str | None = None
    error_class: str | None = None


class RejectedPage(msgspec.Struct, frozen=True):
    """Some rows and where to go on."""

    rows: list[StoredRejection]
    next_cursor: str | None


class RejectedRows:
    """Reads what `Rejects` keeps. Safe to use from several threads."""

    def __init__(self, rejects: Rejects) -> None:
        self._rejects = rejects
        self._guard = threading.Lock()
        self._database: duckdb.DuckDBPyConnection | None = None

    def page(
        self, source: str, wanted: Filter, limit: int = 50, cursor: str | None = None
    ) -> RejectedPage:
        """Up to `limit` rows after `cursor`, in a stable order; raises `InvalidQuery`."""
        after_name, after_row = _decode(cursor)
        found: list[tuple[str, StoredRejection]] = []
        with self._connection() as connection:
            for name in self._rejects.names(source, wanted.path):
                if name < after_name or len(found) > limit:
                    continue
                after = after_row if name == after_name else 0
                more = self._query(connection, name, wanted, after, limit + 1 - len(found))
                found += [(name, row) for row in more]
        next_cursor = None
        if len(found) > limit:
            name, last = found[limit - 1]
            next_cursor = _encode(name, last.row_number)
        return RejectedPage([row for _, row in found[:limit]], next_cursor)

    def count(self, source: str, wanted: Filter) -> int:
        """How many rows match."""
        total = 0
        with self._connection() as connection:
            for name in self._rejects.names(source, wanted.path):
                found = connection.execute(
                    f"SELECT count(*) FROM {self._table(name)} WHERE {_CONDITION}",
                    _values(wanted, 0),
                ).fetchone()
                total += int(found[0]) if found else 0
        return total

    def layouts(self, source: str, wanted: Filter) -> Iterator[tuple[str, RawLayout]]:
        """Name and layout of each file that may hold matching rows."""
        with self._connection() as connection:
            for name in self._rejects.names(source, wanted.path):
                found = connection.execute(
                    f"""SELECT value FROM parquet_kv_metadata({self._literal(name)})
                        WHERE key = 'triaged'::BLOB"""
                ).fetchone()
                if found:
                    yield name, msgspec.json.decode(found[0], type=RawLayout)

    def stream(self, name: str, wanted: Filter) -> Iterator[StoredRejection]:
        """All matching rows of one file in order."""
        after = 0
        with self._connection() as connection:
            while batch := self._query(connection, name, wanted, after, _BATCH):
                yield from batch
                after = batch[-1].row_number

    def close(self) -> None:
        """Frees what reading holds; reading again opens it anew."""
        with self._guard:
            database, self._database = self._database, None
        if database is not None:
            database.close()

    def _connection(self) -> duckdb.DuckDBPyConnection:
        with self._guard:
            if self._database is None:
                self._database = duckdb.connect(
                    ":memory:",
                    config={
                        "threads": 1,
                        "memory_limit": "64MB",
                        "enable_external_file_cache": False,
                    },
                )
            return self._database.cursor()

    def _query(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        wanted: Filter,
        after: int,
        limit: int,
    ) -> list[StoredRejection]:
        """Rows of one file; none when a newer version took its place meanwhile."""
        with suppress(duckdb.IOException):
            rows = connection.execute(
                f"""SELECT {_FIELDS} FROM {self._table(name)}
                    WHERE {_CONDITION} ORDER BY row_number LIMIT {int(limit)}""",
                _values(wanted, after),
            ).fetchall()
            return [StoredRejection(*row) for row in rows]
        return []

    def _table(self, name: str) -> str:
        return f"read_parquet({self._literal(name)})"

    def _literal(self, name: str) -> str:
        return literal(one_path(str(self._rejects.place(name))))


_CONDITION = """row_number > ? AND (?::VARCHAR IS NULL OR path = ?)
    AND (?::VARCHAR IS NULL OR cause = ?) AND (?::VARCHAR IS NULL OR error_class = ?)"""


def _values(wanted: Filter, after: int) -> list[str | int | None]:
    fields = (wanted.path, wanted.cause, wanted.error_class)
    return [after, *(value for field in fields for value in (field, field))]


def _encode(name: str, row_number: int) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((name, row_number))).decode()


def _decode(cursor: str | None) -> tuple[str, int]:
    if cursor is None:
        return "", 0
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=tuple[str, int])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise InvalidQuery("The cursor is not one that this list gave out.") from None
