"""Writes what happens to retry operations, in the transaction of its batch."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import msgspec

from daemon import events
from daemon.store import rows
from daemon.store.filters import FailureFilter, Where, by_kind, by_text, by_time
from daemon.store.records import stored
from daemon.store.sql import SQL
from daemon.triage.taxonomy import RetryState

RetryEvent = events.RetryRequested | events.RetryProgressed | events.RetryChanged


def choice(
    failure_ids: Sequence[int] | None, f: FailureFilter, *, include_not_retryable: bool
) -> Where:
    """A relation of the items that a selection comes to, each with why it is left out, or NULL."""
    if failure_ids is not None:
        where = Where("id IN (SELECT unnest(?::BIGINT[]))", [list(failure_ids)])
    else:
        where = by_kind(f) + by_text(f) + by_time(f.since, f.until)
    sql = SQL["choose_items"].replace("{where}", where.sql)
    return Where(sql, [*where.parameters, include_not_retryable])


def write(
    connection: duckdb.DuckDBPyConnection, buffer: rows.RowBuffer, changes: Sequence[RetryEvent]
) -> None:
    """Writes the changes in their order."""
    for change in changes:
        match change:
            case events.RetryRequested():
                _request(connection, change)
            case events.RetryProgressed() if change.results:
                _progress(connection, buffer, change)
            case events.RetryChanged():
                _change(connection, change)


def _request(connection: duckdb.DuckDBPyConnection, event: events.RetryRequested) -> None:
    """Resolves the selection where the failures are: they never become a list in memory."""
    f = msgspec.json.decode(event.filter or "{}", type=FailureFilter)
    chosen = choice(event.failure_ids, f, include_not_retryable=event.include_not_retryable)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE retry_choice AS {chosen.sql}", chosen.parameters
    )
    counted = SQL["count_choice"].replace("{choice}", "retry_choice")
    connection.execute(
        SQL["insert_retry_operation"].replace("{counted}", counted),
        [
            event.operation_id,
            stored(event.at),
            event.asked_by,
            event.selection,
            event.include_not_retryable,
            event.rate,
        ],
    )
    connection.execute(SQL["insert_retry_targets"], [event.operation_id])
    connection.execute("DROP TABLE retry_choice")


def _progress(
    connection: duckdb.DuckDBPyConnection, buffer: rows.RowBuffer, event: events.RetryProgressed
) -> None:
    results = [
        rows.RetryResultRow(
            failure_id=result.failure_id,
            outcome=result.outcome,
            reason=result.reason,
            new_failure_id=result.new_failure_id,
            category=result.category,
        )
        for result in event.results
    ]
    connection.execute(
        SQL["write_retry_results"].replace("{rows}", buffer.relation(results)),
        [stored(event.at), event.operation_id],
    )


def _change(connection: duckdb.DuckDBPyConnection, event: events.RetryChanged) -> None:
    at = stored(event.at)
    if event.state is RetryState.RUNNING:
        connection.execute(SQL["begin_retry_operation"], [at, event.operation_id])
    else:
        connection.execute(
            SQL["end_retry_operation"], [event.state, at, event.error, event.operation_id]
        )
