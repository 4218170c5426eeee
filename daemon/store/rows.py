"""Rows as they are inserted: one record a table, and the fast way to hand many of them to DuckDB."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from typing import Annotated

import duckdb
import msgspec

_ENCODER = msgspec.json.Encoder(uuid_format="hex")


UInt64 = Annotated[int, "unsigned"]
"""A number of 64 bits that may use the highest."""


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of rows. Field names are column names. None leads back to itself: nothing to collect."""


class CycleRow(Row, frozen=True, kw_only=True):
    cycle_id: str
    pipeline: str
    started_by: str
    started_at: datetime


class CycleEndRow(Row, frozen=True, kw_only=True):
    cycle_id: str
    ended_at: datetime
    outcome: str
    duration_seconds: float


class RunRow(Row, frozen=True, kw_only=True):
    run_id: str
    pipeline: str
    source: str
    cycle_id: str
    started_by: str
    started_at: datetime
    source_version: str


class RunEndRow(Row, frozen=True, kw_only=True):
    run_id: str
    status: str
    state: str
    step: str
    ended_at: datetime
    duration_seconds: float
    succeeded: int
    failed: int
    skipped: int
    retryable: int
    progress_current: int | None
    progress_total: int | None
    category: str | None
    error_message: str | None
    user_message: str | None
    suggested_action: str | None
    top_errors: str


class FailureRow(Row, frozen=True, kw_only=True):
    """A failure as it is at first: open."""

    id: int
    error_time: datetime
    run_id: str
    pipeline: str
    source: str
    item: str | None
    item_key: UInt64
    step: str
    duration_seconds: float
    category: str
    retryable: bool
    rule: str
    exception_type: str | None
    error_message: str
    user_message: str
    suggested_action: str
    failure_group: str
    attempt: int
    retry_at: datetime | None
    row_count: int | None
    sample_rows: tuple[int, ...]
    column_name: str | None


class GroupRow(Row, frozen=True, kw_only=True):
    failure_group: str
    fingerprint_version: int
    pipeline: str
    step: str
    category: str
    rule: str
    message: str
    user_message: str
    suggested_action: str
    exception_type: str | None


class TallyRow(Row, frozen=True, kw_only=True):
    day: date
    pipeline: str
    source: str
    category: str
    retryable: bool
    status: str
    failure_group: str
    n: int
    first_seen: datetime
    last_seen: datetime


class LogRow(Row, frozen=True, kw_only=True):
    run_id: str
    logged_at: datetime
    event: str
    text: str
    failure_id: int | None


class ItemRow(Row, frozen=True, kw_only=True):
    """Something decided about an item: the status that its earlier failures take."""

    pipeline: str
    source: str
    item_key: UInt64
    run_id: str
    """The run that decided: its own failures are not concerned. Empty for a person."""
    before_id: int
    """Failures with an id below this one are concerned."""
    position: int
    """Of several decisions about an item the one with the highest position holds."""
    status: str
    decided_at: datetime


class RetryOperationRow(Row, frozen=True, kw_only=True):
    operation_id: str
    asked_at: datetime
    asked_by: str
    selection: str
    include_not_retryable: bool
    rate: int | None
    failures: int
    selected: int
    not_retryable: int
    resolved: int
    set_aside: int
    superseded: int
    in_other_operation: int


class RetryResultRow(Row, frozen=True, kw_only=True):
    failure_id: int
    outcome: str
    reason: str | None
    new_failure_id: int | None
    category: str | None


class WorkRow(Row, frozen=True, kw_only=True):
    """Work as it is at first: queued."""

    cycle_id: str
    pipeline: str
    source: str
    started_by: str
    priority: str
    asked_at: datetime


class AuditRow(Row, frozen=True, kw_only=True):
    audited_at: datetime
    done_by: str
    action: str
    subject: str | None
    outcome: str
    reason: str | None
    details: str | None


_TYPES = {
    str: "VARCHAR",
    int: "BIGINT",
    float: "DOUBLE",
    bool: "BOOLEAN",
    UInt64: "UBIGINT",
    datetime: "TIMESTAMP",
    date: "DATE",
    tuple[int, ...]: "BIGINT[]",
}


LONGEST_ROW = 1024 * 1024
"""Bytes that a row may take as JSON. The longest text that is stored, a traceback, has 64 KB."""


class RowBuffer:
    """Hands rows to DuckDB as JSON lines in memory: ten times as fast as parameters, and bounded.

    A memory file that DuckDB opens by its descriptor; nothing reaches a disk. Lines are read as text
    and parsed after that, because DuckDB's JSON reader sets 32 MB aside for each thread.
    """

    def __init__(self) -> None:
        self._fd = os.memfd_create("triaged-rows", os.MFD_CLOEXEC)

    def relation(self, rows: Sequence[Row]) -> str:
        """A FROM clause that yields `rows`, valid until the next call."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        data = memoryview(_ENCODER.encode_lines(rows))
        while data:
            data = data[os.write(self._fd, data) :]
        return (
            f"(SELECT unnest(from_json(line, '{structure(type(rows[0]))}')) FROM "
            f"read_csv('/dev/fd/{self._fd}', auto_detect=false, header=false, strict_mode=false, "
            f"columns={{line: 'VARCHAR'}}, delim='\x1f', quote='', escape='', "
            f"max_line_size={LONGEST_ROW}, buffer_size={2 * LONGEST_ROW}))"
        )

    def insert(
        self, connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Row]
    ) -> None:
        """Inserts `rows` into `table` by column name."""
        if rows:
            connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM {self.relation(rows)}")

    def close(self) -> None:
        """Gives the memory back; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@cache
def structure(record: type[Row]) -> str:
    """The columns of a record and their types, as DuckDB's JSON functions take them."""
    parts = []
    for field in msgspec.structs.fields(record):
        given = [k for k in getattr(field.type, "__args__", (field.type,)) if k is not type(None)]
        kind = field.type if field.type in _TYPES else given[0]
        parts.append(f'"{field.name}":"{_TYPES[kind]}"')
    return "{" + ",".join(parts) + "}"
