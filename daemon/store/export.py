"""Failures as CSV, written by DuckDB itself into a pipe: as fast as COPY, in flat memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import duckdb

from daemon.store.database import Database
from daemon.store.failures import Failures
from daemon.store.filters import FailureFilter, Where, by_kind, by_text, by_time
from daemon.triage.taxonomy import CATEGORIES, Category

CHUNK_ROWS = 25_000
FIRST_ROWS = 1_000
_READ_BYTES = 256 * 1024

_GROUP = (
    "CASE category "
    + " ".join(f"WHEN '{c.value}' THEN '{facts.group.value}'" for c, facts in CATEGORIES.items())
    + " END"
)


def _time(column: str) -> str:
    return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%fZ')"


def _text(column: str) -> str:
    """A cell that a spreadsheet would run as a formula gets an apostrophe in front."""
    return (
        f"CASE WHEN left({column}, 1) IN ('=', '+', '-', '@', chr(9), chr(13)) "
        f"THEN '''' || {column} ELSE {column} END"
    )


COLUMNS = {
    "id": "id",
    "error_time": _time("error_time"),
    "pipeline": "pipeline",
    "source": "source",
    "item": _text("item"),
    "run_id": "run_id",
    "failed_step": _text("step"),
    "duration_seconds": "duration_seconds",
    "error_category": "category",
    "error_group": _GROUP,
    "is_auth_error": f"category = '{Category.AUTHENTICATION.value}'",
    "is_retryable": "retryable",
    "rule": "rule",
    "error_message": _text("error_message"),
    "user_message": _text("user_message"),
    "suggested_action": _text("suggested_action"),
    "attempt": "attempt",
    "status": "status",
    "failure_group": "failure_group",
    "exception_type": _text("exception_type"),
    "row_count": "row_count",
    "column_name": _text("column_name"),
    "retry_at": _time("retry_at"),
}
"""Columns of the CSV and the SQL that makes them."""

_SELECT = ", ".join(f"{sql} AS {name}" for name, sql in COLUMNS.items())


class _Bound(NamedTuple):
    """Where one part of the export ends and the next begins."""

    time: datetime
    id: int


def failures_csv(database: Database, f: FailureFilter) -> Iterator[bytes]:
    """All failures that match, newest first, as of the moment of the call.

    Yields bytes as they are made. Stopping early ends the query. Raises the error of the query.
    """
    return _Export(database, f).stream()


class _Export:
    def __init__(self, database: Database, f: FailureFilter) -> None:
        self._database = database
        self._failures = Failures(database)
        self._filter = self._failures.narrowed(f)
        self._error: BaseException | None = None

    def stream(self) -> Iterator[bytes]:
        reading, writing = os.pipe()
        thread = threading.Thread(target=self._copy_to, args=(writing,), daemon=True)
        thread.start()
        try:
            while data := os.read(reading, _READ_BYTES):
                yield data
        finally:
            os.close(reading)
            thread.join()
        if self._error is not None:
            raise self._error

    def _copy_to(self, writing: int) -> None:
        try:
            with self._database.cursor() as cursor:
                cursor.execute("BEGIN")
                try:
                    self._copy_parts(cursor, f"/dev/fd/{writing}")
                finally:
                    cursor.execute("ROLLBACK")
        except BaseException as error:  # noqa: BLE001 (raised again where the stream is read)
            self._error = error
        finally:
            os.close(writing)

    def _copy_parts(self, cursor: duckdb.DuckDBPyConnection, path: str) -> None:
        self._copy(cursor, path, Where("false", []), header=True)
        for window in self._failures.stretches(self._filter, FIRST_ROWS, CHUNK_ROWS * 8):
            where = self._where() + by_time(*window)
            upper: _Bound | None = None
            for lower in [*self._bounds(cursor, where), None]:
                self._copy(cursor, path, where + _between(upper, lower), header=False)
                upper = lower

    def _where(self) -> Where:
        f = self._filter
        return by_kind(f) + by_text(f) + by_time(f.since, f.until)

    def _bounds(self, cursor: duckdb.DuckDBPyConnection, where: Where) -> list[_Bound]:
        """Every so many rows one, so that each part sorts in little memory."""
        rows = cursor.execute(
            "SELECT error_time, id FROM (SELECT error_time, id, row_number() OVER "
            f"(ORDER BY error_time DESC, id DESC) AS n FROM failures WHERE {where.sql}) "
            f"WHERE n % {CHUNK_ROWS} = 0 ORDER BY n",
            where.parameters,
        ).fetchall()
        return [_Bound(*row) for row in rows]

    def _copy(
        self, cursor: duckdb.DuckDBPyConnection, path: str, where: Where, *, header: bool
    ) -> None:
        cursor.execute(
            f"COPY (SELECT {_SELECT} FROM failures WHERE {where.sql} "
            f"ORDER BY error_time DESC, id DESC) TO '{path}' "
            f"(FORMAT csv, HEADER {header}, USE_TMP_FILE false)",
            where.parameters,
        )


def _between(upper: _Bound | None, lower: _Bound | None) -> Where:
    """After `upper`, up to and with `lower`, newest first."""
    where = Where("true", [])
    if upper is not None:
        where += Where(
            "error_time <= ? AND (error_time < ? OR id < ?)", [upper.time, upper.time, upper.id]
        )
    if lower is not None:
        where += Where(
            "error_time >= ? AND (error_time > ? OR id >= ?)", [lower.time, lower.time, lower.id]
        )
    return where
