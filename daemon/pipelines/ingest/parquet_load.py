"""Parquet files: columns by name, values converted where the types differ."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from daemon.pipelines.ingest.conversion import Conversion, TargetColumn
from daemon.pipelines.ingest.csv_layout import missing_columns
from daemon.pipelines.ingest.load import Contents, Load
from daemon.pipelines.ingest.sql import identifier, literal


def load_parquet(load: Load, contents: Contents) -> None:
    """Loads a Parquet file; only columns of another type are looked at for bad values."""
    found = parquet_columns(load.connection, contents)
    names = _names_in_file(found, load.columns)
    conversion = _conversion(contents, found, names, load.columns)
    load.insert(conversion.good_rows())
    if any(given != c.type for given, c in zip(conversion.given, load.columns, strict=True)):
        load.reject(conversion.bad_rows())


def parquet_columns(
    connection: duckdb.DuckDBPyConnection, contents: Contents
) -> list[TargetColumn]:
    """Names and types of a file that was read on trial."""
    found = connection.execute(
        f"DESCRIBE SELECT * FROM read_parquet({literal(contents.place)})"
    ).fetchall()
    return [TargetColumn(name, type_) for name, type_, *_ in found]


def _names_in_file(found: Sequence[TargetColumn], columns: Sequence[TargetColumn]) -> list[str]:
    by_name = {column.name.casefold(): column.name for column in found}
    by_name |= {column.name: column.name for column in found}
    names = [by_name.get(c.name) or by_name.get(c.name.casefold()) for c in columns]
    missing = [c.name for c, name in zip(columns, names, strict=True) if name is None]
    if missing:
        raise missing_columns(missing)
    return [name for name in names if name is not None]


def _conversion(
    contents: Contents,
    found: Sequence[TargetColumn],
    names: Sequence[str],
    columns: Sequence[TargetColumn],
) -> Conversion:
    values = ", ".join(f"{identifier(name)} AS v{at}" for at, name in enumerate(names))
    types = {column.name: column.type for column in found}
    record = ", ".join(f"{identifier(c.name)} := {identifier(c.name)}" for c in found)
    return Conversion(
        f"""SELECT file_row_number, to_json(struct_pack({record}))::VARCHAR AS raw, NULL::VARCHAR AS defect, {values}
            FROM read_parquet({literal(contents.place)}, file_row_number = true)""",
        columns,
        row_number="file_row_number + 1",
        given=[types[name] for name in names],
    )
