"""DuckDB's types as text, taken apart: which are nested, and what they are made of."""

from __future__ import annotations

import re

import msgspec

_TOKEN = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*|"(?:[^"]|"")+")|(?P<number>[0-9]+)"""
    r"""|(?P<text>'(?:[^']|'')*')|(?P<sign>[(),\[\]]))"""
)


class ListType(msgspec.Struct, frozen=True):
    """A list, or an array where it has a length."""

    of: TypeTree


class StructType(msgspec.Struct, frozen=True):
    """A record of fields, whose names are as SQL writes them."""

    fields: tuple[tuple[str, TypeTree], ...]


class MapType(msgspec.Struct, frozen=True):
    """Keys and their values."""

    key: TypeTree
    value: TypeTree


TypeTree = str | ListType | StructType | MapType
"""A type; text for one that is not nested, as DuckDB shows it."""


def is_nested(type_: str) -> bool:
    """Whether values of the type are made of values."""
    return type_.endswith("]") or type_.startswith(("STRUCT(", "MAP("))


def is_type(text: str) -> bool:
    """Whether a text is made as a type is, so that nothing but a type can become of it in SQL."""
    at = depth = 0
    while found := _TOKEN.match(text, at):
        at = found.end()
        depth += (found["sign"] in ("(", "[")) - (found["sign"] in (")", "]"))
        if depth < 0:
            return False
    return not depth and at > 0 and not text[at:].strip()


def parsed(type_: str) -> TypeTree:
    """A type as DuckDB shows it, taken apart."""
    type_ = type_.strip()
    if type_.endswith("]"):
        return ListType(parsed(type_[: type_.rindex("[")]))
    if type_.startswith("STRUCT("):
        fields = (_field(part) for part in _parts(type_[7:-1]))
        return StructType(tuple((name, parsed(rest)) for name, rest in fields))
    if type_.startswith("MAP("):
        key, value = _parts(type_[4:-1])
        return MapType(parsed(key), parsed(value))
    return type_


def textual(type_: TypeTree) -> str:
    """The type with text in place of all that is not nested."""
    return written(type_, "VARCHAR")


def written(type_: TypeTree, plain: str | None = None) -> str:
    """A type as SQL writes it, with `plain` in place of all that is not nested if that is given."""
    match type_:
        case ListType(of):
            return f"{written(of, plain)}[]"
        case StructType(fields):
            return f"STRUCT({', '.join(f'{name} {written(of, plain)}' for name, of in fields)})"
        case MapType(key, value):
            return f"MAP({written(key, plain)}, {written(value, plain)})"
        case _:
            return plain or type_


def _parts(inner: str) -> list[str]:
    """What commas separate that are in no brackets and no quotes."""
    parts, depth, start = [""], 0, 0
    for found in _TOKEN.finditer(inner):
        sign = found["sign"]
        depth += (sign in ("(", "[")) - (sign in (")", "]"))
        if sign == "," and not depth:
            parts[-1] = inner[start : found.start()]
            parts.append("")
            start = found.end()
    parts[-1] = inner[start:]
    return parts


def _field(part: str) -> tuple[str, str]:
    found = _TOKEN.match(part)
    assert found
    return found[0].strip(), part[found.end() :]
