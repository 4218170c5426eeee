"""JSON lines, and JSON as one array of objects (or objects one after another)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import BinaryIO

import duckdb
import msgspec

from daemon.pipelines.ingest.conversion import NUMBERED, Conversion, TargetColumn
from daemon.pipelines.ingest.csv_layout import RAW_COLUMN, text_of
from daemon.pipelines.ingest.formats import Format
from daemon.pipelines.ingest.lines import TOO_LONG, lines_of
from daemon.pipelines.ingest.load import Contents, Load, NeedsCare
from daemon.pipelines.ingest.nested import STRING_OR_NUMBER
from daemon.pipelines.ingest.records import Record, load_records
from daemon.pipelines.ingest.sql import identifier, literal, texts
from daemon.pipelines.ingest.types import is_nested

_MISFIT = "JSON_TYPE"
_CARE = "triaged: keys are not as the columns are"
_LONG = "[0-9]{16}|[0-9.]{17}"
"""Matches a number that may have more digits than DuckDB's JSON functions keep, which is 15, point or not."""


def load_json(load: Load, contents: Contents) -> None:
    """Loads the objects; their keys are the columns and a missing key is NULL.

    Raises `NeedsCare` when keys of an object are those of a column but for their case, or there twice.
    """
    try:
        usual = None if contents.is_small else _usual_keys(load, contents)
        _load(load, contents, _plain_relation(contents, load.columns, usual))
    except duckdb.InvalidInputException as error:
        if _CARE in str(error):
            raise NeedsCare from None
        raise


def load_json_carefully(load: Load, contents: Contents) -> None:
    """Loads the objects whatever their keys are: by name, failing that without regard to case."""
    _load(load, contents, _careful_relation(contents, load.columns))


def _load(load: Load, contents: Contents, relation: str) -> None:
    if contents.is_small and not any(is_nested(column.type) for column in load.columns):
        values = "".join(f", v{at}" for at in range(len(load.columns)))
        found = load.connection.execute(
            f"SELECT {NUMBERED}, raw, defect{values} FROM ({relation})"
        ).fetchall()
        records = (Record(n, raw, defect, cells) for n, raw, defect, *cells in found)
        load_records(load, records, _MISFIT)
        return
    conversion = Conversion(relation, load.columns, misfit=_MISFIT, notation=load.notation)
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


def _usual_keys(load: Load, contents: Contents) -> str | None:
    """The keys of the first record as DuckDB writes them, if they are as the columns are.

    Most records have the same, and comparing them is ten times faster than looking at each key.
    """
    found = load.connection.execute(
        f"""SELECT keys::VARCHAR, {_is_plain(load.columns)}
                AND list_has_any(keys, {texts(column.name for column in load.columns)})
            FROM (SELECT TRY(json_keys(raw)) AS keys FROM ({texts_of(contents)}) LIMIT 1)"""
    ).fetchone()
    return found[0] if found and found[1] else None


def _plain_relation(contents: Contents, columns: Sequence[TargetColumn], usual: str | None) -> str:
    """What `Conversion` asks for, where every key that is a column's is spelled as the column is."""
    structure = msgspec.json.encode(
        {c.name: "JSON" if c.type == "JSON" else "VARCHAR" for c in columns}
    ).decode()
    mark = secrets.token_hex(8)
    values = ", ".join(
        f"{_unmarked(f'object.{identifier(column.name)}', mark)} AS v{at}"
        for at, column in enumerate(columns)
    )
    names = texts(column.name for column in columns)
    return f"""
        SELECT raw, {values},
            CASE WHEN NOT usual THEN {_defect(f"list_has_any(keys, {names})")} END AS defect
        FROM (SELECT raw, kind, keys, long, usual, CASE
                WHEN usual THEN from_json({_marked("raw", mark)}, {literal(structure)})
                WHEN kind = 'OBJECT' AND NOT {_is_plain(columns)} THEN error({literal(_CARE)})
                WHEN kind = 'OBJECT' THEN from_json({_marked("raw", mark)}, {literal(structure)})
                END AS object
            FROM (SELECT *, {_is_usual(usual)} AS usual FROM ({_keyed(contents)})))"""


def _is_usual(usual: str | None) -> str:
    return f"coalesce(keys::VARCHAR = {literal(usual)}, false)" if usual else "false"


def _careful_relation(contents: Contents, columns: Sequence[TargetColumn]) -> str:
    """What `Conversion` asks for, with the key of each column found out for each object."""
    mark = secrets.token_hex(8)
    keys = ", ".join(f"{_key_of(column.name)} AS k{at}" for at, column in enumerate(columns))
    values = ", ".join(
        f"{_unmarked(_extracted(f'k{at}', column), mark)} AS v{at}"
        for at, column in enumerate(columns)
    )
    twice = " OR ".join(_is_twice(column.name) for column in columns)
    some = " OR ".join(f"k{at} IS NOT NULL" for at in range(len(columns)))
    return f"""
        SELECT raw, {values},
            CASE WHEN kind = 'OBJECT' AND list_contains(keys, {literal(RAW_COLUMN)})
                    THEN 'NOT_CORRECTED'
                WHEN kind = 'OBJECT' AND ({twice}) THEN 'JSON_TWIN_KEYS'
                ELSE {_defect(f"({some})")} END AS defect
        FROM (SELECT *, CASE WHEN kind = 'OBJECT' THEN {_marked("raw", mark)} END AS marked
            FROM (SELECT *, {keys} FROM ({_keyed(contents)})))"""


def _keyed(contents: Contents) -> str:
    return f"""SELECT *, CASE WHEN kind = 'OBJECT' THEN json_keys(raw) END AS keys
        FROM (SELECT raw, regexp_matches(raw, '{_LONG}') AS long, TRY(json_type(raw)) AS kind
            FROM ({texts_of(contents)}))"""


def _defect(has_a_column: str) -> str:
    """SQL of why a record is no row: an object that has none of the columns is none of this table."""
    return f"""CASE WHEN kind IS NULL AND starts_with(raw, {literal(TOO_LONG)})
            THEN 'LINE SIZE OVER MAXIMUM'
        WHEN kind IS NULL THEN 'JSON_SYNTAX'
        WHEN kind <> 'OBJECT' THEN 'JSON_NOT_OBJECT'
        WHEN len(keys) > 0 AND NOT {has_a_column} THEN 'JSON_NO_COLUMN' END"""


def _is_plain(columns: Sequence[TargetColumn]) -> str:
    """SQL of whether the keys that may be meant for a column are just its name, once."""
    names = texts(column.name for column in columns)
    loose = texts([*(column.name.strip().lower() for column in columns), RAW_COLUMN])
    meant = f"len(list_filter(keys, lambda k: list_contains({loose}, lower(trim(k)))))"
    return f"""CASE WHEN len(keys) = {len(columns)} AND list_has_all(keys, {names}) THEN true
        ELSE {meant} = len(list_intersect(keys, {names})) END"""


def _key_of(name: str) -> str:
    loosely = f"list_filter(keys, lambda k: lower(trim(k)) = {literal(name.strip().lower())})[1]"
    return f"CASE WHEN list_contains(keys, {literal(name)}) THEN {literal(name)} ELSE {loosely} END"


def _is_twice(name: str) -> str:
    """SQL of whether two keys may be meant for a column, neither rather than the other."""
    exact = f"len(list_filter(keys, lambda k: k = {literal(name)}))"
    loose = f"len(list_filter(keys, lambda k: lower(trim(k)) = {literal(name.strip().lower())}))"
    return f"({exact} > 1 OR ({exact} = 0 AND {loose} > 1))"


def _extracted(key: str, column: TargetColumn) -> str:
    pointer = f"'/' || replace(replace({key}, '~', '~0'), '/', '~1')"
    if column.type == "JSON":
        return f"nullif(json_extract(marked, {pointer})::VARCHAR, 'null')"
    return f"json_extract_string(marked, {pointer})"


def _marked(raw: str, mark: str) -> str:
    """SQL of the object with every long number made a string that keeps its digits.

    A replacement knows no conditions, so strings get a mark as well, at their end, and lose it again.
    """
    replaced = rf'"\1{mark}\2"'
    return f"""CASE WHEN long THEN
        replace(regexp_replace({raw}, {literal(STRING_OR_NUMBER)}, {literal(replaced)}, 'g'),
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
