"""Columns found out from a file, for ingestions that declare none and have no table yet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import islice
from typing import BinaryIO

import duckdb
import msgspec

from daemon.pipelines.ingest.conversion import Conversion, TargetColumn
from daemon.pipelines.ingest.csv_careful import records
from daemon.pipelines.ingest.csv_layout import ADDED_PREFIX, text_of
from daemon.pipelines.ingest.failures import FileFailure
from daemon.pipelines.ingest.formats import Format
from daemon.pipelines.ingest.in_memory import memory_file
from daemon.pipelines.ingest.json_load import texts_of
from daemon.pipelines.ingest.load import FILE_ID, Contents
from daemon.pipelines.ingest.notation import Notation
from daemon.pipelines.ingest.parquet_load import parquet_columns
from daemon.pipelines.ingest.records import Record, relation_of
from daemon.pipelines.ingest.sql import value_of

_SAMPLE = 20_480
"""Records that types are found out from, as DuckDB does."""
_AT_A_TIME = 100
_NO_NUMBER = re.compile(r" *(\+|[-+]?0[0-9])")
"""Begins what only looks like a number, such as a postcode: it would lose what it begins with."""
_KEPT = ("VARCHAR", "JSON", "DATE", "TIME")
_LONG = re.compile(r"(?:[0-9][^0-9eE]?){16}")
"""In a number of more digits than a DOUBLE surely keeps."""

Row = Sequence[str | None]


def infer_columns(
    connection: duckdb.DuckDBPyConnection, contents: Contents, notation: Notation
) -> list[TargetColumn]:
    """The columns of a file; empty when it has no row to tell."""
    if contents.encoding.format is Format.PARQUET:
        found = parquet_columns(connection, contents)
    else:
        infer = _infer_csv if contents.encoding.format is Format.CSV else _infer_json
        found = infer(connection, contents, notation)
    names = [column.name.lower() for column in found]
    if FILE_ID in names or len(set(names)) < len(names) or "" in names:
        raise FileFailure(
            "The file's columns cannot be a table: a name is empty, doubled or reserved."
            " Declare `columns` for this ingestion.",
            "INFERENCE",
        )
    return found


def _infer_csv(
    connection: duckdb.DuckDBPyConnection, contents: Contents, notation: Notation
) -> list[TargetColumn]:
    """Types from rows that are whole, so that a broken one at the start decides nothing."""
    layout = contents.layout
    at = [n for n, name in enumerate(layout.header) if not name.startswith(ADDED_PREFIX)]
    names = [layout.header[n] for n in at]
    with text_of(contents.file, contents.encoding.compression) as text:
        sample = list(islice(records(text, layout), _SAMPLE))
    nulls = {"", *layout.dialect.nulls}
    whole = [record.cells for record in sample if not record.defect]
    rows = [[None if cells[n] in nulls else cells[n] for n in at] for cells in whole]
    if not rows:  # those that there are get their reasons when they are loaded
        return [TargetColumn(name, "VARCHAR") for name in names] if sample else []
    with memory_file(lambda file: _write_csv(file, len(at), rows)) as place:
        types = value_of(
            connection,
            f"""SELECT list_transform(columns, lambda c: c.type) FROM sniff_csv('{place}',
                delim = ',', quote = '"', escape = '"', header = true, sample_size = -1)""",
        )
    columns = [TargetColumn(name, type_) for name, type_ in zip(names, types, strict=True)]
    return _agreeing(connection, columns, rows, notation)


def _write_csv(file: BinaryIO, width: int, rows: Sequence[Row]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(f"c{at}" for at in range(width))
    writer.writerows(rows)
    file.write(text.getvalue().encode())


def _infer_json(
    connection: duckdb.DuckDBPyConnection, contents: Contents, notation: Notation
) -> list[TargetColumn]:
    """Types from the objects alone, so that a broken line at the start decides nothing.

    Keys that differ in their case only are one column, as they are when they load.
    """
    sample = connection.execute(
        f"""SELECT raw, coalesce(TRY(json_type(raw)) = 'OBJECT', false)
            FROM (SELECT raw FROM ({texts_of(contents)}) LIMIT {_SAMPLE}) WHERE trim(raw) <> ''"""
    ).fetchall()
    names: dict[str, str] = {}
    objects = [_object(raw, names) for raw, is_object in sample if is_object]
    keys = {key: f"c{at}" for at, key in enumerate(names)}
    if not keys:
        return _no_columns(has_records=bool(sample), has_objects=bool(objects))
    lines = [{keys[key]: value for key, value in each.items()} for each in objects]
    with memory_file(lambda file: file.write(msgspec.json.Encoder().encode_lines(lines))) as place:
        types = dict(
            connection.execute(
                f"""SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_json(
                    '{place}', format = 'newline_delimited', records = true,
                    map_inference_threshold = -1, sample_size = -1))"""
            ).fetchall()
        )
    columns = [TargetColumn(names[key], _flat(types[at])) for key, at in keys.items()]
    rows = [[_text(each.get(key)) for key in names] for each in objects]
    return _agreeing(connection, columns, rows, notation)


def _no_columns(*, has_records: bool, has_objects: bool) -> list[TargetColumn]:
    """What a file tells in which no object has a key; raises `FileFailure` when that would lose objects."""
    if has_objects:
        raise FileFailure("No record of the file has a key that could be a column.", "INFERENCE")
    # those that are no objects get their reasons when they are loaded, and no table comes of them
    return [TargetColumn("record", "JSON")] if has_records else []


def _object(raw: str, names: dict[str, str]) -> dict[str, msgspec.Raw]:
    """The values by key without regard to case, of which `names` learns the first spelling."""
    try:
        found = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:  # what only DuckDB takes for JSON, such as NaN
        return {}
    values = {}
    for name, value in found.items():
        if not name.startswith(ADDED_PREFIX):
            key = name.strip().lower()
            names.setdefault(key, name)
            values[key] = _NESTED if bytes(value)[:1] in (b"{", b"[") else value
    return values


_NESTED = msgspec.Raw(b"[null]")


def _text(value: msgspec.Raw | None) -> str | None:
    if value is None or value == b"null":
        return None
    data = bytes(value)
    return msgspec.json.decode(data, type=str) if data.startswith(b'"') else data.decode()


def _flat(type_: str) -> str:
    """Nested values stay JSON: their shape may differ from one record to the next."""
    return "JSON" if type_.startswith(("STRUCT", "MAP")) or type_.endswith("[]") else type_


def _agreeing(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[TargetColumn],
    rows: Sequence[Row],
    notation: Notation,
) -> list[TargetColumn]:
    """The columns as text where a value of the sample would not load, or not as it is written.

    DuckDB recognises more notations than its casts understand, such as 25/12/2024 and 10:00 PM.
    Some columns at a time, since DuckDB holds two thousand values of each.
    """
    found: list[TargetColumn] = []
    for at in range(0, len(columns), _AT_A_TIME):
        some = slice(at, at + _AT_A_TIME)
        found += _agreeing_some(connection, columns[some], [row[some] for row in rows], notation)
    return found


def _agreeing_some(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[TargetColumn],
    rows: Sequence[Row],
    notation: Notation,
) -> list[TargetColumn]:
    found = [TargetColumn(column.name, "VARCHAR") for column in columns]
    sample = [Record(0, "", None, row) for row in rows]
    with relation_of(sample, len(columns)) as relation:
        for candidates in [*(_all_as(type_, columns, rows) for type_ in notation.types), columns]:
            conversion = Conversion(relation, candidates, notation=notation)
            fits = value_of(connection, conversion.fitting())
            for at, (column, fit) in enumerate(zip(candidates, fits, strict=True)):
                if found[at].type == "VARCHAR" and fit and not _loses(column, at, rows):
                    found[at] = column
    return found


def _all_as(type_: str, columns: Sequence[TargetColumn], rows: Sequence[Row]) -> list[TargetColumn]:
    """The columns as those of another type, but for those without any value to tell."""
    tells = [any(row[at] for row in rows) for at in range(len(columns))]
    return [
        TargetColumn(column.name, type_ if tell else "VARCHAR")
        for column, tell in zip(columns, tells, strict=True)
    ]


def _loses(column: TargetColumn, at: int, rows: Sequence[Row]) -> bool:
    """Whether a number of the column would lose zeros or a sign that it begins with, or digits."""
    if column.type in _KEPT or column.type.startswith("TIMESTAMP"):
        return False
    cells = [row[at] or "" for row in rows]
    if column.type == "DOUBLE" and any(_LONG.search(cell) and _is_rounded(cell) for cell in cells):
        return True
    return any(map(_NO_NUMBER.match, cells))


def _is_rounded(number: str) -> bool:
    """Whether a DOUBLE is another number than was written: not the shortest that stands for that DOUBLE."""
    try:
        return Decimal(number) != Decimal(repr(float(number)))
    except (ValueError, ArithmeticError):  # of another notation: read by what the ingestion says
        return False
