"""Decodes nested tables into records and reports every mistake, where msgspec stops at the first."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import msgspec

from daemon.config.values import Duration, Listen, Size
from daemon.errors import Problem

_PARSED = (Duration, Listen, Size)


def decode_table(data: Any, record: type[msgspec.Struct], where: str) -> tuple[Any, list[Problem]]:
    """`data` as a `record`, or None with all that is wrong with it below the key path `where`."""
    if not isinstance(data, dict):
        return None, [Problem(where, "expected a table")]
    fields = {field.encode_name: field for field in msgspec.structs.fields(record)}
    problems = [
        Problem(join(where, key), f"unknown key; expected one of {', '.join(sorted(fields))}")
        for key in data
        if key not in fields
    ]
    values = {}
    for name, field in fields.items():
        if name in data:
            values[field.name], found = decode_value(data[name], field.type, join(where, name))
            problems += found
        elif field.required:
            problems.append(Problem(join(where, name), "missing, but required"))
    return (None, problems) if problems else (record(**values), [])


def decode_value(value: Any, kind: Any, where: str) -> tuple[Any, list[Problem]]:
    """One value as `kind`: a table, a table of tables, a list of tables, or a plain value."""
    kind = _given(kind)
    origin = get_origin(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return decode_table(value, kind, where)
    if origin is dict and isinstance(value, dict):
        key_kind, value_kind = get_args(kind)
        return _decode_entries(value, key_kind, value_kind, where)
    if origin is tuple and isinstance(value, list):
        decoded = [
            decode_value(item, get_args(kind)[0], f"{where}[{n}]") for n, item in enumerate(value)
        ]
        return tuple(item for item, _ in decoded), [p for _, found in decoded for p in found]
    return _convert(value, kind, where)


def _decode_entries(
    value: dict[str, Any], key_kind: Any, value_kind: Any, where: str
) -> tuple[dict[str, Any], list[Problem]]:
    entries, problems = {}, []
    for key, item in value.items():
        _, bad_key = _convert(key, key_kind, join(where, key))
        entries[key], bad_item = decode_value(item, value_kind, join(where, key))
        problems += bad_key + bad_item
    return entries, problems


def _convert(value: Any, kind: Any, where: str) -> tuple[Any, list[Problem]]:
    parsed = next((p for p in _alternatives(kind) if p in _PARSED), None)
    shown = _shown(value) if not _is_secret(kind) else "something else"
    try:
        _refuse_last_newline(value, kind)
        if parsed is not None:
            return parsed.parse(value), []
        return msgspec.convert(value, kind, strict=True), []
    except ValueError as error:
        text = str(error).split(" - at `")[0]
        wanted = text if parsed else _described(kind)
        expected = f"expected {wanted}, got {shown}" if wanted else _sentence(text, shown)
        return None, [Problem(where, expected)]


def _metas(kind: Any) -> Iterator[msgspec.Meta]:
    return (m for m in getattr(kind, "__metadata__", ()) if isinstance(m, msgspec.Meta))


def _is_secret(kind: Any) -> bool:
    """Whether values of the type must not be in any message: its `Meta` says so in `extra`."""
    return any((meta.extra or {}).get("secret") for meta in _metas(kind))


def _refuse_last_newline(value: Any, kind: Any) -> None:
    """In a pattern `$` also matches before a newline at the end, which nobody means by it."""
    if isinstance(value, str) and value.endswith("\n") and any(m.pattern for m in _metas(kind)):
        raise ValueError("expected text without a newline at its end")


def _described(kind: Any) -> str | None:
    """The description in an annotated type's `Meta`: what a pattern means in words."""
    return next((m.description for m in _metas(kind) if m.description), None)


def _given(kind: Any) -> Any:
    """`X` of an optional `X | None`: TOML has no null, so a key that is there has a value.

    What a field is for, said around the whole, says nothing about `X`.
    """
    inner = getattr(kind, "__origin__", None)
    if get_origin(kind) is typing.Annotated and len(_alternatives(inner)) > 1:
        kind = inner
    alternatives = [k for k in _alternatives(kind) if k is not type(None)]
    return alternatives[0] if len(alternatives) == 1 else kind


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (types.UnionType, typing.Union) else (kind,)


def _sentence(text: str, shown: str) -> str:
    text = text[:1].lower() + text[1:]
    return text if "got `" in text else f"{text}, got {shown}"


def _shown(value: Any) -> str:
    """A value in a message, short: a mistyped key must not print a whole file."""
    try:
        text = repr(value)
    except ValueError:  # thousands of digits
        text = "a very large number"
    return text if len(text) <= 60 else text[:59] + "…"


def join(where: str, key: str) -> str:
    """The key path one level down."""
    return f"{where}.{key}" if where else key
