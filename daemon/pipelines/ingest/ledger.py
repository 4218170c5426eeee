"""The record of loaded files that stands beside the data, written in the same transaction.

It decides whether a file's rows are in the warehouse; the store follows it. After a crash between
the warehouse's commit and the store's, the ledger knows what the store has yet to learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import duckdb
import msgspec

from daemon.pipelines.ingest.facts import FileFacts

TABLE = "triaged_files"


class LoadedVersion(msgspec.Struct, frozen=True):
    """The version of a file whose rows are in the warehouse."""

    file_id: int
    content_hash: str
    table_name: str
    rows_loaded: int
    rows_rejected: int
    run_id: str


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the ledger where the warehouse has none yet."""
    connection.execute(
        f"""
        CREATE SEQUENCE IF NOT EXISTS triaged_file_ids;
        CREATE TABLE IF NOT EXISTS {TABLE} (
            file_id BIGINT, source VARCHAR, path VARCHAR, content_hash VARCHAR, size BIGINT,
            mtime_ns BIGINT, table_name VARCHAR, rows_loaded BIGINT, rows_rejected BIGINT,
            run_id VARCHAR, loaded_at TIMESTAMP)"""
    )


class LoadedFiles:
    """What the warehouse holds of one source.

    A statement costs more than a small file, so the entries of many files are read at once. Only
    one run at a time works on a source: what was read stays true until that run records another.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: str) -> None:
        self._connection = connection
        self._source = source
        self._entries: dict[str, LoadedVersion] = {}
        self._new_file_ids: dict[str, int] = {}

    def look_up(self, paths: Sequence[str]) -> None:
        """Reads what is loaded of these files, and reserves a number for each that is new."""
        rows = self._connection.execute(
            f"""SELECT path, file_id, content_hash, table_name, rows_loaded, rows_rejected, run_id
                FROM {TABLE} WHERE source = ? AND path IN (SELECT unnest(?::VARCHAR[]))""",
            [self._source, list(paths)],
        ).fetchall()
        self._entries = {path: LoadedVersion(*entry) for path, *entry in rows}
        self._reserve(sorted(set(paths) - self._entries.keys()))

    def find(self, path: str) -> LoadedVersion | None:
        """What is loaded of a file that was looked up."""
        return self._entries.get(path)

    def file_id(self, path: str) -> int:
        """The number of a file that was looked up; no other file has it."""
        entry = self._entries.get(path)
        return entry.file_id if entry else self._new_file_ids[path]

    def record(self, table: str, facts: FileFacts, run_id: str, at: datetime) -> None:
        """Replaces what the ledger says of a file that was looked up."""
        if facts.path in self._entries:
            self._connection.execute(
                f"DELETE FROM {TABLE} WHERE source = ? AND path = ?", [self._source, facts.path]
            )
        self._connection.execute(
            f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                self.file_id(facts.path),
                self._source,
                facts.path,
                facts.content_hash,
                facts.size,
                facts.mtime_ns,
                table,
                facts.rows_loaded,
                facts.rows_rejected,
                run_id,
                at.astimezone(UTC).replace(tzinfo=None),
            ],
        )

    def rejected_files(self) -> list[tuple[str, str]]:
        """Path and content hash of the files that were loaded with rejected rows."""
        rows = self._connection.execute(
            f"SELECT path, content_hash FROM {TABLE} WHERE source = ? AND rows_rejected > 0",
            [self._source],
        ).fetchall()
        return [(path, content_hash) for path, content_hash in rows]

    def _reserve(self, new: Sequence[str]) -> None:
        rows = self._connection.execute(
            "SELECT nextval('triaged_file_ids') FROM range(?)", [len(new)]
        ).fetchall()
        self._new_file_ids = {path: file_id for path, (file_id,) in zip(new, rows, strict=True)}
