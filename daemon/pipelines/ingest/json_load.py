"""JSON lines, and JSON as one array of objects (or objects one after another)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from daemon.pipelines.ingest.conversion import NUMBERED, Conversion, TargetColumn
from daemon.pipelines.ingest.csv_layout import text_of
from daemon.pipelines.ingest.formats import Format
from daemon.pipelines.ingest.lines import TOO_LONG, lines_of
from daemon.pipelines.ingest.load import Contents, Load
from daemon.pipelines.ingest.records import Record, load_records
from daemon.pipelines.ingest.sql import identifier, literal, texts

_MISFIT = "JSON_TYPE"
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_LONG = "[0-9]{16}|[0-9.]{17}"
"""Matches a number that may have more digits than DuckDB's JSON functions keep, which is 15, point or not."""


def load_json(load: Load, contents: Contents) -> None:
    """Loads the objects; their keys are the columns and a missing key is NULL."""
    relation = _relation(contents, load.columns)
    if contents.is_small:
        values = "".join(f", v{at}" for at in range(len(load.columns)))
        found = load.connection.execute(
            f"SELECT {NUMBERED}, raw, defect{values} FROM ({relation})"
        ).fetchall()
        records = (Record(n, raw, defect, cells) for n, raw, defect, *cells in found)
        load_records(load, records, _MISFIT)
        return
    conversion = Conversion(relation, load.columns, misfit=_MISFIT)
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


def _relation(contents: Contents, columns: Sequence[TargetColumn]) -> str:
    """What `Conversion` asks for: an object that has none of the columns is no row of this table."""
    structure = msgspec.json.encode(
        {c.name: "JSON" if c.type == "JSON" else "VARCHAR" for c in columns}
    ).decode()
    mark = secrets.token_hex(8)
    fields = [f"object.{identifier(column.name)}" for column in columns]
    values = ", ".join(f"{_unmarked(field, mark)} AS v{at}" for at, field in enumerate(fields))
    all_null = " AND ".join(f"{field} IS NULL" for field in fields)
    names = texts(column.name for column in columns)
    return f"""
        SELECT raw, {values},
            CASE WHEN kind IS NULL AND starts_with(raw, {literal(TOO_LONG)})
                    THEN 'LINE SIZE OVER MAXIMUM'
                WHEN kind IS NULL THEN 'JSON_SYNTAX'
                WHEN kind <> 'OBJECT' THEN 'JSON_NOT_OBJECT'
                WHEN {all_null} THEN CASE WHEN len(json_keys(raw)) > 0
                    AND NOT list_has_any(json_keys(raw), {names}) THEN 'JSON_NO_COLUMN' END
                END AS defect
        FROM (SELECT raw, kind, long, CASE WHEN kind = 'OBJECT'
                    THEN from_json({_marked("raw", mark)}, {literal(structure)}) END AS object
            FROM (SELECT raw, regexp_matches(raw, '{_LONG}') AS long,
                    CASE WHEN json_valid(raw) THEN json_type(raw) END AS kind
                FROM ({texts_of(contents)})))"""


def _marked(raw: str, mark: str) -> str:
    """SQL of the object with every long number made a string that keeps its digits.

    The pattern takes strings whole, so that no number inside of one is touched; a replacement knows
    no conditions, so strings get a mark as well, at their end, and lose it again.
    """
    strings_and_numbers = rf'"((?:[^"\\]|\\.)*)"|({_NUMBER})'
    replaced = rf'"\1{mark}\2"'
    return f"""CASE WHEN long THEN
        replace(regexp_replace({raw}, {literal(strings_and_numbers)}, {literal(replaced)}, 'g'),
            '{mark}"', '"')
        ELSE {raw} END"""


def _unmarked(value: str, mark: str) -> str:
    """SQL of a value as it was, in JSON columns and nested values too."""
    return f"""CASE WHEN long THEN
        regexp_replace({value}::VARCHAR, '"{mark}([^"]*)"|{mark}', '\\1', 'g')
        ELSE {value}::VARCHAR END"""


def _starts_with_bracket(file: BinaryIO, compression: str) -> bool:
    with text_of(file, compression) as text:
        while char := text.read(1):
            if not char.isspace():
                return char == "["
    return False
