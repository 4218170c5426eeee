"""JSON lines, and JSON as one array of objects (or objects one after another)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from daemon.pipelines.ingest.conversion import Column, Conversion
from daemon.pipelines.ingest.csv_layout import text_of
from daemon.pipelines.ingest.formats import Format
from daemon.pipelines.ingest.lines import lines_of
from daemon.pipelines.ingest.load import Contents, Load
from daemon.pipelines.ingest.sql import identifier, literal, texts


def load_json(load: Load, contents: Contents) -> None:
    """Loads the objects; their keys are the columns and a missing key is NULL."""
    conversion = Conversion(_records(contents, load.columns), load.columns, misfit="JSON_TYPE")
    load.insert(conversion.good_rows())
    load.reject(conversion.bad_rows())


def texts_of(contents: Contents) -> str:
    """SELECT of `raw`, the text of each record, in order."""
    place, compression = contents.place, contents.encoding.compression
    if contents.encoding.format is Format.JSONL:
        return f"SELECT line AS raw FROM ({lines_of(place, compression)})"
    shape = "array" if _starts_with_bracket(contents.file, compression) else "unstructured"
    return f"""SELECT json::VARCHAR AS raw FROM read_json_objects({literal(place)},
        format = '{shape}', compression = {literal(compression)})"""


def _records(contents: Contents, columns: Sequence[Column]) -> str:
    """The relation: an object that has none of the columns is no row of this table."""
    structure = msgspec.json.encode(
        {c.name: "JSON" if c.type.upper() == "JSON" else "VARCHAR" for c in columns}
    ).decode()
    values = ", ".join(
        f"object.{identifier(column.name)} AS v{at}" for at, column in enumerate(columns)
    )
    all_null = " AND ".join(f"object.{identifier(column.name)} IS NULL" for column in columns)
    names = texts(column.name for column in columns)
    return f"""
        SELECT raw, {values},
            CASE WHEN kind IS NULL THEN 'JSON_SYNTAX'
                WHEN kind <> 'OBJECT' THEN 'JSON_NOT_OBJECT'
                WHEN {all_null} THEN CASE WHEN len(json_keys(raw)) > 0
                    AND NOT list_has_any(json_keys(raw), {names}) THEN 'JSON_NO_COLUMN' END
                END AS defect
        FROM (SELECT raw, kind,
                CASE WHEN kind = 'OBJECT' THEN from_json(raw, {literal(structure)}) END AS object
            FROM (SELECT raw, CASE WHEN json_valid(raw) THEN json_type(raw) END AS kind
                FROM ({texts_of(contents)})))"""


def _starts_with_bracket(file: BinaryIO, compression: str) -> bool:
    with text_of(file, compression) as text:
        while char := text.read(1):
            if not char.isspace():
                return char == "["
    return False
