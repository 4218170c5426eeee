"""The table that files go to: made when missing, and otherwise never changed but for `_file_id`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from daemon.pipelines.ingest.conversion import TargetColumn
from daemon.pipelines.ingest.failures import WarehouseError
from daemon.pipelines.ingest.load import FILE_ID
from daemon.pipelines.ingest.sql import identifier, value_of
from daemon.pipelines.ingest.types import is_type


def existing_columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[TargetColumn]:
    """The columns of a table, without `_file_id`; empty when there is no such table."""
    return [column for column in all_columns(connection, table) if column.name.lower() != FILE_ID]


def ready_columns(
    connection: duckdb.DuckDBPyConnection, table: str, declared: Mapping[str, str] | None
) -> list[TargetColumn]:
    """The columns to load into an existing table, which gets its `_file_id` where it lacks one.

    Those declared, which must agree with the table, or all; empty when there is no such table.
    Raises `WarehouseError` for a table that does not fit. Not within a transaction.
    """
    existing = all_columns(connection, table)
    columns = [column for column in existing if column.name.lower() != FILE_ID]
    if existing and len(columns) == len(existing):
        _add_file_id(connection, table)
    return _checked(connection, table, columns, declared) if columns and declared else columns


def create(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[TargetColumn]
) -> list[TargetColumn]:
    """Makes the table and returns the columns with their types as it shows them."""
    parts = [f"{identifier(column.name)} {column.type}" for column in columns]
    parts.append(f"{FILE_ID} BIGINT")
    connection.execute(f"CREATE TABLE {identifier(table)} ({', '.join(parts)})")
    return existing_columns(connection, table)


def all_columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[TargetColumn]:
    """The columns of a table, `_file_id` too where it has one; empty when there is no such table."""
    try:
        rows = connection.execute(
            "SELECT name, type FROM pragma_table_info(?)", [f"main.{identifier(table)}"]
        ).fetchall()
    except duckdb.CatalogException:
        return []
    return [TargetColumn(name, type_) for name, type_ in rows]


def _add_file_id(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    try:
        connection.execute(f"ALTER TABLE {identifier(table)} ADD COLUMN {FILE_ID} BIGINT")
    except duckdb.CatalogException:
        raise WarehouseError(f"{table} is not a table.", "TABLE_MISMATCH") from None


def type_problem(connection: duckdb.DuckDBPyConnection, type_: str) -> str | None:
    """Why DuckDB does not know a type, as it says; None when it does."""
    if not is_type(type_):
        return "it is not made of names, numbers, texts and brackets"
    try:
        _canonical(connection, type_)
    except duckdb.Error as error:
        return str(error).split("\n", 1)[0]
    return None


def _checked(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    existing: Sequence[TargetColumn],
    declared: Mapping[str, str],
) -> list[TargetColumn]:
    types = {column.name.lower(): column.type for column in existing}
    for name, type_ in declared.items():
        there = types.get(name.lower())
        if there != _canonical(connection, type_):
            has = f"has {name} as {there}" if there else f"has no column {name}"
            raise WarehouseError(
                f"Table {table} {has}; the configuration declares {name} as {type_}.",
                "TABLE_MISMATCH",
            )
    return [TargetColumn(name, types[name.lower()]) for name in declared]


def _canonical(connection: duckdb.DuckDBPyConnection, type_: str) -> str:
    """The type as a table shows it, such as INTEGER for INT."""
    return str(value_of(connection, f"SELECT typeof(CAST(NULL AS {type_}))"))
