"""Rows as they are inserted, and the fast way to hand many of them to DuckDB."""

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
FreeText = Annotated[str, "free text"]
"""A text from outside or for people, which may begin in any way: a spreadsheet might run it."""


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


class WorkRow(Row, frozen=True, kw_only=True):
    """Work as it is at first: queued."""

    cycle_id: str
    pipeline: str
    source: str
    started_by: str
    priority: str
    asked_at: datetime


_TYPES = {
    str: "VARCHAR",
    int: "BIGINT",
    float: "DOUBLE",
    bool: "BOOLEAN",
    UInt64: "UBIGINT",
    FreeText: "VARCHAR",
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
