"""What a body must hold at some place, in words: the decoder says only that it is something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request

from daemon.config.wording import words


def expected_at(request: Request[Any, Any, Any], steps: Sequence[str]) -> str | None:
    """What the handler's body is to have at the end of `steps`, names and numbers; None where nobody can tell."""
    taken = request.route_handler.parsed_fn_signature.parameters.get("data")
    if taken is None:
        return None
    whole = msgspec.json.schema(taken.annotation)
    definitions = whole.get("$defs", {})
    schema = _plain(whole, definitions)
    for step in steps:
        inner = schema.get("items") if step.isdigit() else schema.get("properties", {}).get(step)
        if not isinstance(inner, dict):
            return None
        schema = _plain(inner, definitions)
    said = words(schema)
    return {"a table": "an object"}.get(said, said)


def _plain(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A schema without references, and without null where that is one of two."""
    if "anyOf" in schema:
        others = [choice for choice in schema["anyOf"] if choice.get("type") != "null"]
        if len(others) == 1:
            return _plain(others[0], definitions)
    if "$ref" in schema:
        return _plain(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return schema
