"""The ledger and a table that its owner may have changed: made to agree, or refused.

What would load rows a second time, or take rows for loaded that are gone, is looked for here.
"""

from __future__ import annotations

import duckdb

from daemon.pipelines.ingest import ledger
from daemon.pipelines.ingest.failures import WarehouseError
from daemon.pipelines.ingest.load import FILE_ID
from daemon.pipelines.ingest.sql import identifier, value_of
from daemon.pipelines.ingest.tables import all_columns


def reconcile(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Forgets what was loaded into a table that is gone, or was made anew and is empty.

    Raises `WarehouseError` for one whose rows cannot be told apart by file any more.
    """
    types = {column.name.lower(): column.type for column in all_columns(connection, table)}
    if types.get(FILE_ID, "BIGINT") != "BIGINT":
        raise _rebuilt(f"Column {FILE_ID} of table {table} is no BIGINT any more.")
    if FILE_ID in types:
        _refuse_unknown_rows(connection, table)
    elif files := _loaded_files(connection, table):
        if types and value_of(connection, f"SELECT count(*) FROM {identifier(table)}"):
            raise _rebuilt(
                f"Table {table} lost its column {FILE_ID} with the rows of {files:,} loaded files in it."
            )
        connection.execute(
            f"DELETE FROM {ledger.TABLE} WHERE lower(table_name) = lower(?)", [table]
        )


def _loaded_files(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    found = connection.execute(
        f"SELECT count(*) FROM {ledger.TABLE} WHERE lower(table_name) = lower(?)", [table]
    ).fetchall()
    return int(found[0][0])


def _refuse_unknown_rows(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    unknown = value_of(
        connection,
        f"""SELECT count(DISTINCT {FILE_ID}) FROM {identifier(table)}
            WHERE {FILE_ID} IS NOT NULL AND {FILE_ID} NOT IN (SELECT file_id FROM {ledger.TABLE})""",
    )
    if unknown:
        raise _rebuilt(
            f"Table {table} has rows of {unknown:,} files that {ledger.TABLE} does not know."
        )


def _rebuilt(what: str) -> WarehouseError:
    return WarehouseError(f"{what} Loading would double rows.", "TABLE_REBUILT")
