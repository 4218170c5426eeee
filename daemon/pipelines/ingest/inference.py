"""Columns found out from a file, for ingestions that declare none and have no table yet."""

from __future__ import annotations

import os
from collections.abc import Callable

import duckdb

from daemon.pipelines.ingest.conversion import TargetColumn
from daemon.pipelines.ingest.csv_layout import ADDED_PREFIX
from daemon.pipelines.ingest.failures import FileFailure
from daemon.pipelines.ingest.formats import Format
from daemon.pipelines.ingest.json_load import texts_of
from daemon.pipelines.ingest.lines import lines_of
from daemon.pipelines.ingest.load import FILE_ID, Contents
from daemon.pipelines.ingest.parquet_load import parquet_columns
from daemon.pipelines.ingest.sql import literal, value_of

_SAMPLE = 20_480
"""Records that types are found out from, as DuckDB does."""


def infer_columns(connection: duckdb.DuckDBPyConnection, contents: Contents) -> list[TargetColumn]:
    """The columns of a file; empty when it has no row to tell."""
    found = _INFERENCES[contents.encoding.format](connection, contents)
    names = [column.name.lower() for column in found]
    if FILE_ID in names or len(set(names)) < len(names) or "" in names:
        raise FileFailure(
            "The file's columns cannot be a table: a name is empty, doubled or reserved."
            " Declare `columns` for this ingestion.",
            "INFERENCE",
        )
    return found


def _infer_csv(connection: duckdb.DuckDBPyConnection, contents: Contents) -> list[TargetColumn]:
    layout = contents.layout
    place, compression = literal(contents.place), literal(contents.encoding.compression)
    types = value_of(
        connection,
        f"""SELECT list_transform(columns, lambda c: c.type) FROM sniff_csv({place},
            compression = {compression}, delim = {literal(layout.delimiter)}, quote = '"',
            escape = '"', header = true, ignore_errors = true, null_padding = true)""",
    )
    if len(types) < len(layout.header) or not _has_rows(connection, contents):
        return []
    return [
        TargetColumn(name, type_)
        for name, type_ in zip(layout.header, types, strict=False)
        if not name.startswith(ADDED_PREFIX)
    ]


def _has_rows(connection: duckdb.DuckDBPyConnection, contents: Contents) -> bool:
    lines = lines_of(contents.place, contents.encoding.compression)
    return bool(value_of(connection, f"SELECT count(line) > 1 FROM (FROM ({lines}) LIMIT 100)"))


def _infer_json(connection: duckdb.DuckDBPyConnection, contents: Contents) -> list[TargetColumn]:
    """Types from the objects alone, so that a broken line at the start decides nothing."""
    objects = connection.execute(
        f"""SELECT raw FROM (SELECT raw FROM ({texts_of(contents)}) LIMIT {_SAMPLE})
            WHERE CASE WHEN json_valid(raw) THEN json_type(raw) = 'OBJECT' END"""
    ).fetchall()
    if not objects:
        return []
    descriptor = os.memfd_create("triaged-sample")
    try:
        with open(descriptor, "w", encoding="utf-8", closefd=False) as sample:
            sample.writelines(raw.replace("\n", " ") + "\n" for (raw,) in objects)
        found = connection.execute(
            f"""DESCRIBE SELECT * FROM read_json('/dev/fd/{descriptor}',
                format = 'newline_delimited', records = true, map_inference_threshold = -1)"""
        ).fetchall()
    finally:
        os.close(descriptor)
    return [TargetColumn(name, _flat(type_)) for name, type_, *_ in found]


def _flat(type_: str) -> str:
    """Nested values stay JSON: their shape may differ from one record to the next."""
    return "JSON" if type_.startswith(("STRUCT", "MAP")) or type_.endswith("[]") else type_


_INFERENCES: dict[Format, Callable[[duckdb.DuckDBPyConnection, Contents], list[TargetColumn]]] = {
    Format.CSV: _infer_csv,
    Format.JSONL: _infer_json,
    Format.JSON: _infer_json,
    Format.PARQUET: parquet_columns,
}
