"""The open transaction that one file's rows go through: what a reader of a format writes to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, BinaryIO

import duckdb
import msgspec

from daemon.errors import TriagedError
from daemon.pipelines.ingest.conversion import TargetColumn
from daemon.pipelines.ingest.csv_layout import Layout
from daemon.pipelines.ingest.failures import FileFailure
from daemon.pipelines.ingest.formats import Encoding
from daemon.pipelines.ingest.notation import Notation
from daemon.pipelines.ingest.source_file import place_of
from daemon.pipelines.ingest.sql import identifier, value_of

if TYPE_CHECKING:
    from daemon.pipelines.ingest.records import Record

REJECTED = "temp.triaged_rejected"
"""Temporary table of one file's rejected rows; it spills to disk beside the warehouse."""
FILE_ID = "_file_id"
"""Column of every target table that says which file a row came from."""


_SMALL = 200_000


class NeedsCare(TriagedError):
    """The fast way cannot say exactly what is in this file."""


class Contents(msgspec.Struct, frozen=True):
    """An open file and how to read it."""

    file: BinaryIO
    encoding: Encoding
    layout: Layout = Layout(",", (), 1)
    """Of a CSV file; no columns for other formats."""
    longest_line: int = 0
    """Bytes from one line feed to the next, at most."""

    @property
    def place(self) -> str:
        """The name under which DuckDB reads it."""
        return place_of(self.file)

    @property
    def is_small(self) -> bool:
        """Whether Python has read it before DuckDB has made ready to."""
        return self.encoding.compression == "none" and (
            os.fstat(self.file.fileno()).st_size <= _SMALL
        )


class Load:
    """One file on its way into its table. Counts rows; the caller owns the transaction."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Sequence[TargetColumn],
        file_id: int,
        notation: Notation,
    ) -> None:
        self.connection = connection
        self.columns = columns
        self.notation = notation
        self.rows_loaded = 0
        self.rows_rejected = 0
        self.file_id = file_id
        names = ", ".join(identifier(name) for name in [c.name for c in columns] + [FILE_ID])
        self._insert = f"INSERT INTO {identifier(table)} ({names})"
        self._sets_aside = False

    def insert(self, rows: str) -> int:
        """Adds the rows of a SELECT of the columns, in order, and returns how many there were."""
        found: int = value_of(
            self.connection, f"{self._insert} SELECT *, {self.file_id} FROM ({rows})"
        )
        self.rows_loaded += found
        return found

    def take(self, records: Iterable[Record], misfit: str) -> bool:  # noqa: ARG002 - for those that keep them
        """Whether it keeps records for later; `misfit` is the error class of a value that does not fit its column."""
        return False

    def reject(self, rows: str) -> None:
        """Sets aside a SELECT of row_number, column_name, error_class, reason and raw."""
        if not self._sets_aside:
            self._sets_aside = True
            self.connection.execute(
                f"""CREATE OR REPLACE TEMP TABLE {REJECTED.removeprefix("temp.")} (
                    row_number BIGINT, column_name VARCHAR, error_class VARCHAR, reason VARCHAR,
                    raw VARCHAR)"""
            )
        self.rows_rejected += value_of(self.connection, f"INSERT INTO {REJECTED} {rows}")

    def first_fault(self) -> FileFailure:
        """Why a file that must be without fault is not loaded."""
        row, column, error_class = self.connection.execute(
            f"""SELECT min(row_number), arg_min(column_name, row_number),
                    arg_min(error_class, row_number) FROM {REJECTED}"""
        ).fetchall()[0]
        where = f"row {row:,}" + (f", column {column}" if column else "")
        failure = FileFailure(
            f"The first bad record is {where} ({error_class.lower().replace('_', ' ')});"
            " in failfast mode nothing of the file is loaded.",
            error_class,
        )
        failure.row, failure.column = row, column
        return failure
