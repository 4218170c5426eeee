"""The tables as a transaction writes them: rows in bulk, and single statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from daemon.store.rows import Row, RowBuffer


class Tables:
    """What the writer's connection can do within one transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, buffer: RowBuffer) -> None:
        self.connection = connection
        self._buffer = buffer

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Inserts rows by column name."""
        self._buffer.insert(self.connection, table, rows)

    def run(self, sql: str, rows: Sequence[Row], parameters: Sequence[Any] = ()) -> None:
        """Runs a statement over rows, which ``{rows}`` stands for; without any it does nothing."""
        if rows:
            relation = self._buffer.relation(rows)
            self.connection.execute(sql.replace("{rows}", relation), parameters)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs one statement; returns what it answers."""
        return self.connection.execute(sql, parameters).fetchall()
