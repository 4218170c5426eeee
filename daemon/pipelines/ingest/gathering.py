"""Small files gathered, so that many of them load in one transaction.

A statement and a commit cost more than a small file. Only files without any fault are loaded together:
where one turns out to have one, nothing of all of them is kept, and it is loaded alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb
import msgspec

from daemon.errors import TriagedError
from daemon.pipelines.ingest.conversion import TargetColumn
from daemon.pipelines.ingest.facts import FileFacts
from daemon.pipelines.ingest.identity import FileIdentity
from daemon.pipelines.ingest.load import FILE_ID, Load
from daemon.pipelines.ingest.notation import Notation
from daemon.pipelines.ingest.ports import Candidate
from daemon.pipelines.ingest.records import Record, load_records
from daemon.pipelines.ingest.sql import identifier, value_of

MOST_BYTES = 2_000_000
"""Of files that are gathered; they are held in memory meanwhile."""


class NotTogether(TriagedError):
    """Some of the files have a fault, and have to be loaded each by itself."""

    def __init__(self, paths: frozenset[str]) -> None:
        self.paths = paths
        super().__init__()


class GatheredRows(Load):
    """Takes the records of one file instead of a table."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[TargetColumn]
    ) -> None:
        super().__init__(connection, table, columns, 0, Notation())
        self.records: list[Record] = []
        self.misfit = ""

    def take(self, records: Iterable[Record], misfit: str) -> bool:
        self.records += records
        self.misfit = misfit
        return True

    @property
    def is_sound(self) -> bool:
        """Whether every record is a row, as far as can be told before types are looked at."""
        return not any(record.defect for record in self.records)


class GatheredFile(msgspec.Struct, frozen=True):
    """A small file that was read and waits for the others."""

    candidate: Candidate
    facts: FileFacts
    identity: FileIdentity
    place: str
    file_id: int
    rows: GatheredRows


class SharedLoad(Load):
    """The rows of many files on their way into their table, each with the number of its file."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: Sequence[TargetColumn],
        notation: Notation,
    ) -> None:
        numbered = [*columns, TargetColumn(FILE_ID, "BIGINT")]
        super().__init__(connection, table, numbered, 0, notation)
        self._table = table
        names = ", ".join(identifier(column.name) for column in self.columns)
        self._into = f"INSERT INTO {identifier(table)} ({names})"

    def insert(self, rows: str) -> int:
        found: int = value_of(self.connection, f"{self._into} {rows}")
        self.rows_loaded += found
        return found

    def reject(self, rows: str) -> None:  # noqa: ARG002 - the file that it is of is read again
        self.rows_rejected += 1

    def add(self, files: Sequence[GatheredFile]) -> None:
        """Loads all rows; raises `NotTogether` where some do not fit, for the caller to roll back."""
        for misfit in {file.rows.misfit for file in files}:
            alike = [file for file in files if file.rows.misfit == misfit]
            load_records(self, (r for file in alike for r in _numbered(file)), misfit)
        if self.rows_rejected:
            raise NotTogether(self._faulty(files))

    def _faulty(self, files: Sequence[GatheredFile]) -> frozenset[str]:
        counted = self.connection.execute(
            f"""SELECT {FILE_ID}, count(*) FROM {identifier(self._table)}
                WHERE {FILE_ID} IN (SELECT unnest(?::BIGINT[])) GROUP BY ALL""",
            [[file.file_id for file in files]],
        ).fetchall()
        loaded = dict(counted)
        return frozenset(
            file.facts.path
            for file in files
            if loaded.get(file.file_id, 0) != len(file.rows.records)
        )


def _numbered(file: GatheredFile) -> Iterable[Record]:
    for record in file.rows.records:
        yield msgspec.structs.replace(record, raw=None, cells=[*record.cells, str(file.file_id)])
