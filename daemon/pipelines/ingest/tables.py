"""The table that files go to: made when missing, and otherwise never changed but for `_file_id`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import duckdb

from daemon.pipelines.ingest.conversion import Column
from daemon.pipelines.ingest.failures import WarehouseError
from daemon.pipelines.ingest.load import FILE_ID
from daemon.pipelines.ingest.sql import identifier, value_of


def existing_columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[Column]:
    """The columns of a table, without `_file_id`; empty when there is no such table."""
    rows = connection.execute(
        """SELECT column_name, data_type FROM duckdb_columns()
            WHERE database_name = current_database() AND schema_name = 'main'
                AND lower(table_name) = lower(?) ORDER BY column_index""",
        [table],
    ).fetchall()
    return [Column(name, type_) for name, type_ in rows if name.lower() != FILE_ID]


def prepare(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    declared: Mapping[str, str] | None,
    infer: Callable[[], Sequence[Column]],
) -> list[Column]:
    """The columns to load, with the table ready for them inside the open transaction.

    Their types are as the table shows them. Declared columns must agree with an existing table; without any, the table defines them, and
    without a table `infer` does. Empty when nothing can be inferred: then there is no table either.
    Raises `WarehouseError` for a table that does not fit.
    """
    existing = existing_columns(connection, table)
    if existing:
        return _checked(connection, table, existing, declared) if declared else existing
    columns = (
        [Column(name, type_) for name, type_ in declared.items()] if declared else list(infer())
    )
    if not columns:
        return []
    parts = [f"{identifier(column.name)} {column.type}" for column in columns]
    parts.append(f"{FILE_ID} BIGINT")
    connection.execute(f"CREATE TABLE {identifier(table)} ({', '.join(parts)})")
    return existing_columns(connection, table)


def add_file_id(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Gives a table of the owner's its `_file_id`; does nothing when it has one or is not there."""
    found = connection.execute(
        """SELECT count(*) FILTER (WHERE lower(column_name) = ?) FROM duckdb_columns()
            WHERE database_name = current_database() AND schema_name = 'main'
                AND lower(table_name) = lower(?) HAVING count(*) > 0""",
        [FILE_ID, table],
    ).fetchone()
    if found != (0,):
        return
    try:
        connection.execute(f"ALTER TABLE {identifier(table)} ADD COLUMN {FILE_ID} BIGINT")
    except duckdb.CatalogException:
        raise WarehouseError(f"{table} is not a table.", "TABLE_MISMATCH") from None


def type_problem(connection: duckdb.DuckDBPyConnection, type_: str) -> str | None:
    """Why DuckDB does not know a type, as it says; None when it does."""
    try:
        _canonical(connection, type_)
    except duckdb.Error as error:
        return str(error).split("\n", 1)[0]
    return None


def _checked(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    existing: Sequence[Column],
    declared: Mapping[str, str],
) -> list[Column]:
    types = {column.name.lower(): column.type for column in existing}
    for name, type_ in declared.items():
        there = types.get(name.lower())
        if there != _canonical(connection, type_):
            has = f"has {name} as {there}" if there else f"has no column {name}"
            raise WarehouseError(
                f"Table {table} {has}; the configuration declares {name} as {type_}.",
                "TABLE_MISMATCH",
            )
    return [Column(name, types[name.lower()]) for name in declared]


def _canonical(connection: duckdb.DuckDBPyConnection, type_: str) -> str:
    """The type as a table shows it, such as INTEGER for INT."""
    return str(value_of(connection, f"SELECT typeof(CAST(NULL AS {type_}))"))
