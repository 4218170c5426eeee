"""Failures as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from daemon.store.columns.failures import EXPORTED, OUTSIDE, FailureRecord
from daemon.store.csv_stream import cells, copy_to, stream
from daemon.store.database import Database
from daemon.store.failures import Failures, stretches
from daemon.store.filters import (
    SHOWN_GROUP,
    FailureFilter,
    Where,
    by_kind,
    by_text,
    by_time,
)
from daemon.store.reading import Snapshot
from daemon.store.report_conditions import ERROR_GROUP
from daemon.store.sql import SQL, query
from daemon.taxonomy import Category

SORTED_ROWS = 5_000
ROWS_AT_ONCE = 25_000
"""So many are read before what DuckDB keeps of them in memory is given back."""


def exported(failure_group: str = SHOWN_GROUP) -> str:
    """SQL of the CSV's columns; `failure_group` is that of the group, as it is shown if not given."""
    return cells(
        FailureRecord,
        EXPORTED,
        OUTSIDE,
        error_group=ERROR_GROUP,
        is_auth_error=f"category = '{Category.AUTHENTICATION.value}'",
        failure_group=failure_group,
    )


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
    parts = {
        "columns": exported(),
        "with_merges": SQL["with_merges"],
        "where": where.sql,
        "tail": tail,
    }
    wanted = Where(query("export_failures", **parts), where.parameters)
    return copy_to(file, wanted, header=header)
