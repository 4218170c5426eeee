"""Writes what happens to retry operations, in the transaction of its batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, assert_never

import msgspec

from daemon import events
from daemon.store.columns.retries import RetryOperationRow, RetryResultRow
from daemon.store.filters import FailureFilter, Where, by_kind, by_text, by_time
from daemon.store.records import stored
from daemon.store.sql import SQL
from daemon.store.tables import Tables
from daemon.taxonomy import RetryState

PART = 100_000
"""Failures, on average, whose items are resolved at once: what DuckDB's memory_limit allows."""
Ask = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""Answers a query with all its rows."""


class Choice(msgspec.Struct, frozen=True):
    """What a selection comes to: failures, their items, and how many of these are left out why."""

    failures: int = 0
    selected: int = 0
    not_retryable: int = 0
    resolved: int = 0
    set_aside: int = 0
    superseded: int = 0
    in_other_operation: int = 0

    def __add__(self, other: Choice) -> Choice:
        fields = self.__struct_fields__
        return Choice(**{name: getattr(self, name) + getattr(other, name) for name in fields})


def choices(ask: Ask, where: Where, *, include_not_retryable: bool) -> Iterator[Where]:
    """Relations of the items that failures belong to, each with why it is left out, or NULL.

    A million items are more than DuckDB has memory for, so they come in parts.
    """
    found = ask(f"SELECT count(*) FROM failures WHERE {where.sql}", where.parameters)[0][0]
    parts = found // PART + 1
    sql = SQL["choose_items"].replace("{where}", where.sql)
    for part in range(parts):
        yield Where(sql, [*where.parameters, parts, part, include_not_retryable])


def chosen_failures(failure_ids: Sequence[int] | None, f: FailureFilter) -> Where:
    """The failures with these ids, or without any those that match."""
    if failure_ids is not None:
        return Where("id IN (SELECT unnest(?::BIGINT[]))", [list(failure_ids)])
    return by_kind(f) + by_text(f) + by_time(f.since, f.until)


def write(tables: Tables, changes: Sequence[events.AnyRetryEvent]) -> None:
    """Writes the changes in their order."""
    for change in changes:
        match change:
            case events.RetryRequested():
                _request(tables, change)
            case events.RetryProgressed():
                _progress(tables, change)
            case events.RetryChanged():
                _change(tables, change)
            case _:
                assert_never(change)


def _request(tables: Tables, event: events.RetryRequested) -> None:
    """Resolves the selection where the failures are: they never become a list in memory."""
    f = msgspec.json.decode(event.filter or "{}", type=FailureFilter)
    where = chosen_failures(event.failure_ids, f)
    total = Choice()
    for part in choices(tables.execute, where, include_not_retryable=event.include_not_retryable):
        tables.execute(f"CREATE OR REPLACE TEMP TABLE retry_choice AS {part.sql}", part.parameters)
        counted = tables.execute(SQL["count_choice"].replace("{choice}", "retry_choice"))
        total += Choice(*counted[0])
        tables.execute(SQL["insert_retry_targets"], [event.operation_id])
    tables.execute("DROP TABLE retry_choice")
    row = RetryOperationRow(
        operation_id=event.operation_id,
        asked_at=event.at,
        asked_by=event.asked_by,
        selection=event.selection,
        include_not_retryable=event.include_not_retryable,
        rate=event.rate,
        **msgspec.structs.asdict(total),
    )
    tables.run(SQL["insert_retry_operation"], [row])


def _progress(tables: Tables, event: events.RetryProgressed) -> None:
    results = [
        RetryResultRow(
            failure_id=result.failure_id,
            outcome=result.outcome,
            reason=result.reason,
            new_failure_id=result.new_failure_id,
            category=result.category,
        )
        for result in event.results
    ]
    tables.run(SQL["write_retry_results"], results, [stored(event.at), event.operation_id])


def _change(tables: Tables, event: events.RetryChanged) -> None:
    at = stored(event.at)
    if event.state is RetryState.RUNNING:
        tables.execute(SQL["begin_retry_operation"], [at, event.operation_id])
    else:
        values = [event.state, at, event.error, event.operation_id]
        tables.execute(SQL["end_retry_operation"], values)
