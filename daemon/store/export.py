"""Failures as CSV, written by DuckDB itself into a pipe: as fast as COPY, in flat memory."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator

from daemon.store.database import Database, Snapshot
from daemon.store.failures import Failures, stretches
from daemon.store.filters import (
    SHOWN_GROUP,
    WITH_MERGES,
    FailureFilter,
    Where,
    by_kind,
    by_text,
    by_time,
)
from daemon.store.report_conditions import ERROR_GROUP
from daemon.triage.taxonomy import Category

SORTED_ROWS = 5_000
ROWS_AT_ONCE = 50_000
"""So many are read before what DuckDB keeps of them in memory is given back."""
_PIPE_BYTES = 256 * 1024


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
    "error_group": ERROR_GROUP,
    "is_auth_error": f"category = '{Category.AUTHENTICATION.value}'",
    "is_retryable": "retryable",
    "rule": "rule",
    "error_message": _text("error_message"),
    "user_message": _text("user_message"),
    "suggested_action": _text("suggested_action"),
    "attempt": "attempt",
    "status": "status",
    "failure_group": SHOWN_GROUP,
    "exception_type": _text("exception_type"),
    "row_count": "row_count",
    "column_name": _text("column_name"),
    "retry_at": _time("retry_at"),
}
"""Columns of the CSV and the SQL that makes them."""

_SELECT = ", ".join(f"{sql} AS {name}" for name, sql in COLUMNS.items())


def failures_csv(database: Database, f: FailureFilter) -> Iterator[bytes]:
    """All failures that match, as of the moment of the call, with a header line.

    Up to `SORTED_ROWS` come newest first. More come as they are stored, which is about oldest first:
    sorting them would take longer than reading them. Yields bytes as they are made; stopping early ends
    the query. Raises the error of the query.
    """
    return _Export(database, f).stream()


class _Export:
    def __init__(self, database: Database, f: FailureFilter) -> None:
        self._database = database
        self._filter = f
        self._error: BaseException | None = None

    def stream(self) -> Iterator[bytes]:
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        thread = threading.Thread(target=self._copy_to, args=(writing,), daemon=True)
        thread.start()
        try:
            while data := os.read(reading, _PIPE_BYTES):
                yield data
        finally:
            os.close(reading)
            thread.join()
        if self._error is not None:
            raise self._error

    def _copy_to(self, writing: int) -> None:
        try:
            with self._database.slow_snapshot() as snapshot:
                for statement in self._statements(snapshot, f"/dev/fd/{writing}"):
                    snapshot.row(statement.sql, statement.parameters)
        except BaseException as error:  # noqa: BLE001 (raised again where the stream is read)
            self._error = error
        finally:
            os.close(writing)

    def _statements(self, snapshot: Snapshot, file: str) -> Iterator[Where]:
        """What to run one after the other; what one has read is forgotten before the next."""
        failures = Failures(snapshot)
        f = failures.narrowed(self._filter)
        where = by_kind(f) + by_text(f) + by_time(f.since, f.until)
        if failures.total(f) <= SORTED_ROWS:
            yield _copy(where, file, "ORDER BY error_time DESC, id DESC", header=True)
            return
        yield _copy(where, file, "LIMIT 0", header=True)
        for stretch in reversed(list(stretches(failures.days(f), ROWS_AT_ONCE, ROWS_AT_ONCE))):
            yield _copy(where + stretch.where(), file, "", header=False)


def _copy(where: Where, file: str, tail: str, *, header: bool) -> Where:
    return Where(
        f"COPY (SELECT {_SELECT} FROM failures {WITH_MERGES} "
        f"WHERE {where.sql} {tail}) "
        f"TO '{file}' (FORMAT csv, HEADER {header}, USE_TMP_FILE false)",
        where.parameters,
    )
