"""What the store needs now and then: expiry, compaction, and the marks of a restart."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, timedelta

import duckdb

from daemon.store.ledger import Ledgers
from daemon.store.records import midnight, stored
from daemon.store.sql import SQL, query


def interrupt_unfinished(connection: duckdb.DuckDBPyConnection, now: datetime) -> None:
    """Marks what the daemon died in: runs and cycles that never ended, and work that waits again."""
    connection.execute(SQL["interrupt_runs"], [stored(now)])
    connection.execute(SQL["interrupt_cycles"], [stored(now)])
    connection.execute(SQL["forget_finished_work"])
    connection.execute(SQL["release_all_work"])


def expire(
    connection: duckdb.DuckDBPyConnection, ledgers: Ledgers, now: datetime, retention: timedelta
) -> None:
    """Forgets whole days that are older than `retention`, and sums up what the tally has got of others.

    Failures that nothing and nobody has dealt with stay, with their runs: without them their source would be
    taken to work.
    """
    first = (stored(now) - retention).date()
    connection.execute("BEGIN")
    try:
        _forget_failures(connection, first, now)
        _forget_before(connection, first)
        connection.execute(SQL["forget_commits"])
        ledgers.forget_before(connection, midnight(first))
        for (day,) in connection.execute(SQL["crowded_days"]).fetchall():
            connection.execute(SQL["compact_day_1"], [day])
            connection.execute(SQL["compact_day_2"], [day])
            connection.execute(SQL["compact_day_3"])
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("DROP TABLE IF EXISTS compacted")
    with suppress(duckdb.TransactionException):  # somebody is at work; DuckDB does it itself later
        connection.execute("CHECKPOINT")


def _forget_failures(connection: duckdb.DuckDBPyConnection, first: date, now: datetime) -> None:
    times = {"start": midnight(first), "now": stored(now)}
    ((forgotten,),) = connection.execute(_FORGET_FAILURES, times).fetchall()
    if forgotten:
        connection.execute("DELETE FROM failure_tally WHERE day < ?", [first])
        connection.execute(SQL["tally_before"], [midnight(first)])


def _forget_before(connection: duckdb.DuckDBPyConnection, first: date) -> None:
    start = midnight(first)
    # Failures of a day more, for runs that went on over midnight; those of all days would not fit into memory.
    with_failures = {"start": start, "later": start + timedelta(days=1)}
    connection.execute(SQL["forget_run_log"], with_failures)
    connection.execute(SQL["forget_runs"], with_failures)
    connection.execute(
        "DELETE FROM retry_targets WHERE operation_id IN (SELECT operation_id FROM retry_operations "
        "WHERE ended_at < ?)",
        [start],
    )
    connection.execute("DELETE FROM retry_operations WHERE ended_at < ?", [start])
    connection.execute("DELETE FROM audit WHERE audited_at < ?", [start])
    connection.execute("DELETE FROM cycles WHERE started_at < ?", [start])
    connection.execute(
        "DELETE FROM failure_groups WHERE failure_group NOT IN (SELECT DISTINCT failure_group FROM failure_tally) "
        "AND failure_group NOT IN (SELECT merged_into FROM group_merges)"
    )


_FORGET_FAILURES = query(
    "forget_failures", decided_groups=SQL["decided_groups"], is_quiet=SQL["is_quiet"]
)
