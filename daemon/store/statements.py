"""Queries as DuckDB has parsed them: their texts come again and again, and parsing takes a while each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

MOST = 100
"""Texts that are kept, of some 6 kB each: filters can be combined in more ways than are ever asked for."""

Parameters = Sequence[Any] | dict[str, Any]


class Statements:
    """Executes queries, each of a single statement, and parses none of them twice."""

    def __init__(self) -> None:
        self._parsed: dict[str, duckdb.Statement] = {}

    def execute(
        self, cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Parameters = ()
    ) -> duckdb.DuckDBPyConnection:
        """The cursor, with the answer to fetch."""
        statement = self._parsed.get(sql)
        if statement is None:
            (statement,) = cursor.extract_statements(sql)
            if len(self._parsed) >= MOST:
                self._parsed.clear()
            self._parsed[sql] = statement
        return cursor.execute(statement, parameters)
