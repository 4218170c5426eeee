"""Failures as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from daemon.store.csv_stream import copy_to, stream, text_cell, time_cell
from daemon.store.database import Database
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
from daemon.store.reading import Snapshot
from daemon.store.report_conditions import ERROR_GROUP
from daemon.taxonomy import Category

SORTED_ROWS = 5_000
ROWS_AT_ONCE = 25_000
"""So many are read before what DuckDB keeps of them in memory is given back."""


COLUMNS = {
    "id": "id",
    "error_time": time_cell("error_time"),
    "pipeline": "pipeline",
    "source": "source",
    "item": text_cell("item"),
    "run_id": "run_id",
    "failed_step": text_cell("step"),
    "duration_seconds": "duration_seconds",
    "error_category": "category",
    "error_group": ERROR_GROUP,
    "is_auth_error": f"category = '{Category.AUTHENTICATION.value}'",
    "is_retryable": "retryable",
    "rule": "rule",
    "error_message": text_cell("error_message"),
    "user_message": text_cell("user_message"),
    "suggested_action": text_cell("suggested_action"),
    "attempt": "attempt",
    "status": "status",
    "failure_group": SHOWN_GROUP,
    "exception_type": text_cell("exception_type"),
    "row_count": "row_count",
    "column_name": text_cell("column_name"),
    "retry_at": time_cell("retry_at"),
}
"""Columns of the CSV and the SQL that makes them."""

_SELECT = ", ".join(f"{sql} AS {name}" for name, sql in COLUMNS.items())


def failures_csv(database: Database, f: FailureFilter) -> Iterator[bytes]:
    """All failures that match, as of the moment of the call, with a header line.

    Up to `SORTED_ROWS` come newest first. More come as they are stored, which is about oldest first:
    sorting them would take longer than reading them. Yields bytes as they are made; stopping early ends
    the query. Raises the error of the query.
    """
    return stream(database, partial(_statements, f))


def _statements(f: FailureFilter, snapshot: Snapshot, file: str) -> Iterator[Where]:
    failures = Failures(snapshot)
    f = failures.narrowed(f)
    where = by_kind(f) + by_text(f) + by_time(f.since, f.until)
    if failures.total(f) <= SORTED_ROWS:
        yield _copy(where, file, "ORDER BY error_time DESC, id DESC", header=True)
        return
    yield _copy(where, file, "LIMIT 0", header=True)
    for stretch in reversed(list(stretches(failures.days(f), ROWS_AT_ONCE, ROWS_AT_ONCE))):
        yield _copy(where + stretch.where(), file, "", header=False)


def _copy(where: Where, file: str, tail: str, *, header: bool) -> Where:
    query = f"SELECT {_SELECT} FROM failures {WITH_MERGES} WHERE {where.sql} {tail}"
    return copy_to(file, Where(query, where.parameters), header=header)
