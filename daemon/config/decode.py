"""Decodes nested tables into records and reports every mistake, where msgspec stops at the first."""

from __future__ import annotations

import os
import types
import typing
from typing import Any, get_args, get_origin

import msgspec

from daemon.config.values import Duration, Listen, Size
from daemon.config.wording import metas, unknown_key, wanted
from daemon.errors import Problem

_PARSED = (Duration, Listen, Size)


def decode_table(data: Any, record: type[msgspec.Struct], where: str) -> tuple[Any, list[Problem]]:
    """`data` as a `record`, and all that is wrong with it below the key path `where`.

    With problems the record is what is sound: a wrong value counts as not given. It is None when one is
    wrong or missing that must be there.
    """
    if not isinstance(data, dict):
        return None, [Problem(where, "expected a table")]
    fields = {field.encode_name: field for field in msgspec.structs.fields(record)}
    known = sorted(fields)
    problems = [
        Problem(join(where, key), unknown_key(key, known)) for key in data if key not in fields
    ]
    values = {}
    for name, field in fields.items():
        if name in data:
            value, found = decode_value(data[name], field.type, join(where, name))
            problems += found
            if value is not None:
                values[field.name] = value
        elif field.required:
            problems.append(Problem(join(where, name), "missing, but required"))
    is_whole = all(f.name in values for f in fields.values() if f.required)
    return (record(**values) if is_whole else None), problems


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
        sound = tuple(item for item, _ in decoded if item is not None)
        return sound, [p for _, found in decoded for p in found]
    return _convert(value, kind, where)


def _decode_entries(
    value: dict[str, Any], key_kind: Any, value_kind: Any, where: str
) -> tuple[dict[str, Any], list[Problem]]:
    entries, problems = {}, []
    for key, item in value.items():
        _, bad_key = _convert(key, key_kind, join(where, key))
        decoded, bad_item = decode_value(item, value_kind, join(where, key))
        problems += bad_key + bad_item
        if decoded is not None and not bad_key:
            entries[key] = decoded
    return entries, problems


def _convert(value: Any, kind: Any, where: str) -> tuple[Any, list[Problem]]:
    parsed = next((p for p in _alternatives(kind) if p in _PARSED), None)
    try:
        _refuse_last_newline(value, kind)
        if parsed is not None:
            return parsed.parse(value), []
        return _at_home(msgspec.convert(value, kind, strict=True), kind), []
    except msgspec.ValidationError:
        expected = wanted(kind)
    except ValueError as error:
        expected = str(error)
    shown = _shown(value) if not _is_secret(kind) else "something else"
    return None, [Problem(where, f"expected {expected}, got {shown}")]


def _at_home(value: Any, kind: Any) -> Any:
    """A path with ~ as the folder that it stands for. Raises `ValueError` when that is not known."""
    if not any((meta.extra or {}).get("path") for meta in metas(kind)):
        return value
    path = os.path.expanduser(value)  # noqa: PTH111 (a Path would lose a slash at the end)
    if path.startswith("~"):
        raise ValueError("a path (~ is for a home folder, and there is none of that name)")
    return path


def _is_secret(kind: Any) -> bool:
    """Whether values of the type must not be in any message: its `Meta` says so in `extra`."""
    return any((meta.extra or {}).get("secret") for meta in metas(kind))


def _refuse_last_newline(value: Any, kind: Any) -> None:
    """In a pattern `$` also matches before a newline at the end, which nobody means by it."""
    if isinstance(value, str) and value.endswith("\n") and any(m.pattern for m in metas(kind)):
        raise msgspec.ValidationError


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
