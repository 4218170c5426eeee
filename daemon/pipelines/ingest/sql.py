"""The only places where a name, a text or a path becomes part of a SQL statement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb


def identifier(name: str) -> str:
    """A name of a table or column, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text, quoted."""
    return "'" + text.replace("'", "''") + "'"


def texts(values: Iterable[str]) -> str:
    """A list of texts."""
    return "CAST([" + ", ".join(map(literal, values)) + "] AS VARCHAR[])"


def one_path(path: str) -> str:
    """A path whose ``*``, ``?`` and ``[`` mean themselves where DuckDB would read a glob."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)


def value_of(connection: duckdb.DuckDBPyConnection, statement: str) -> Any:
    """The one value that a statement answers, such as the number of rows of an INSERT."""
    return connection.execute(statement).fetchall()[0][0]
