"""Nested values with nothing but text inside, so that what they hold can be looked at one by one.

DuckDB's casts make NULL of whatever is not of the shape that they want, without a word.
"""

from __future__ import annotations

from daemon.pipelines.ingest.sql import literal
from daemon.pipelines.ingest.types import ListType, MapType, StructType, TypeTree, parsed, textual

STRING_OR_NUMBER = r'"((?:[^"\\]|\\.)*)"|(-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)'
"""Matches both in JSON. Strings are taken whole, so that no number inside of one is touched."""
_AS_STRING = r'"\1\2"'


def nested_text(text: str, type_: str) -> str:
    """SQL of the value that a text writes, as JSON or, where nothing nests in it, as DuckDB does; else NULL.

    Numbers of JSON become strings first, which keep all their digits.
    """
    tree = parsed(type_)
    shape = textual(tree)
    json = f"TRY_CAST(regexp_replace({text}, {literal(STRING_OR_NUMBER)}, '{_AS_STRING}', 'g') AS JSON)"
    from_json = f"CASE WHEN {_has_shape(json, tree)} THEN TRY_CAST({json} AS {shape}) END"
    if not _is_flat(tree):
        return from_json
    return f"CASE WHEN {json} IS NULL THEN TRY_CAST({text} AS {shape}) ELSE {from_json} END"


def _is_flat(tree: TypeTree) -> bool:
    """Whether nothing in a nested value is nested itself."""
    match tree:
        case ListType(of):
            return isinstance(of, str)
        case StructType(fields):
            return all(isinstance(of, str) for _, of in fields)
        case MapType(key, value):
            return isinstance(key, str) and isinstance(value, str)
        case _:
            return True


def _has_shape(json: str, tree: TypeTree, depth: int = 0) -> str:
    """SQL of whether JSON has lists and objects where the type has them, or null."""
    inner = f"j{depth}"
    match tree:
        case ListType(of):
            checked = _all_have_shape(f"TRY_CAST({json} AS JSON[])", of, inner, depth)
            return f"(json_type({json}) = 'ARRAY'{checked})"
        case MapType(_, value):
            values = f"map_values(TRY_CAST({json} AS MAP(VARCHAR, JSON)))"
            return f"(json_type({json}) = 'OBJECT'{_all_have_shape(values, value, inner, depth)})"
        case StructType(fields):
            checks = "".join(
                f" AND {_or_null(f'json_extract({json}, {_pointer(name)})', of, depth)}"
                for name, of in fields
                if not isinstance(of, str)
            )
            return f"(json_type({json}) = 'OBJECT'{checks})"
        case _:
            return "true"


def _all_have_shape(values: str, of: TypeTree, name: str, depth: int) -> str:
    if isinstance(of, str):
        return ""
    check = _or_null(name, of, depth + 1)
    return f" AND coalesce(list_bool_and(list_transform({values}, lambda {name}: {check})), true)"


def _or_null(json: str, tree: TypeTree, depth: int) -> str:
    return f"({json} IS NULL OR json_type({json}) = 'NULL' OR {_has_shape(json, tree, depth)})"


def _pointer(name: str) -> str:
    plain = name[1:-1].replace('""', '"') if name.startswith('"') else name
    return literal("/" + plain.replace("~", "~0").replace("/", "~1"))
