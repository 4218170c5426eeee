"""What a type or a JSON schema asks for, in words that a person who wrote a value can go by."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, get_origin

import msgspec


def metas(kind: Any) -> Iterator[msgspec.Meta]:
    """What an annotated type says beside the type itself."""
    return (m for m in getattr(kind, "__metadata__", ()) if isinstance(m, msgspec.Meta))


def wanted(kind: Any) -> str:
    """What a plain type asks for: its own description, where it has one."""
    described = next((m.description for m in metas(kind) if m.description), None)
    if described is None and get_origin(kind) in _MANY:
        return _MANY[get_origin(kind)]
    return described or words(msgspec.json.schema(kind))


def words(schema: dict[str, Any]) -> str:
    """What a JSON schema asks for."""
    match schema:
        case {"$ref": reference, "$defs": definitions}:
            said = words(definitions[str(reference).rpartition("/")[2]])
        case {"anyOf": [*alternatives]}:
            said = " or ".join(map(words, alternatives))
        case {"enum": choices}:
            said = f"{'one of ' if len(choices) > 1 else ''}{', '.join(map(str, choices))}"
        case {"type": "integer"}:
            said = f"a whole number{_range(schema)}"
        case {"type": "number"}:
            said = f"a number{_range(schema)}"
        case {"format": "date-time"}:
            said = "a time with its offset, such as 2026-01-31T08:00:00Z"
        case {"type": "array", "minItems": least, "maxItems": most}:
            said = f"a list of {least} to {most}"
        case {"type": "string"}:
            said = f"text{_length(schema)}"
        case _:
            said = _PLAIN.get(str(schema.get("type")), "another value")
    return said


_MANY = {dict: "a table", tuple: "a list"}
_PLAIN = {"boolean": "true or false", "array": "a list", "object": "a table", "null": "nothing"}


def _range(schema: dict[str, Any]) -> str:
    match schema.get("minimum"), schema.get("maximum"):
        case None, None:
            return ""
        case least, None:
            return f" of {least} or more"
        case None, most:
            return f" of at most {most}"
        case least, most:
            return f" from {least} to {most}"


def _length(schema: dict[str, Any]) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if most is None:
        return " that is not empty" if least else ""
    return " of one character" if least == most == 1 else f" of {least} to {most} characters"


def unknown_key(key: str, known: list[str]) -> str:
    """That a key is not known, and which there are."""
    alike = get_close_matches(key, known, n=1)
    meant = f"; did you mean {alike[0]}?" if alike else ""
    return f"unknown key; expected one of {', '.join(known)}{meant}"
