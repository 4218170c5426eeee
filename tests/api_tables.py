"""Tables of docs/api.md, made from the OpenAPI document where the page asks for them.

The page marks each by a comment, up to the next `<!-- end -->`:

`<!-- endpoints: /api/runs* -->`          the operations at these paths (`*` stands for anything)
`<!-- parameters: /api/runs -->`          the query parameters of the GET there (`only` those named after that word)
`<!-- fields: RetryOrder -->`             the fields of a record
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

_BLOCK = re.compile(
    r"<!-- (endpoints|parameters|fields): (.+?) -->\n(?:.*?\n)??<!-- end -->", re.DOTALL
)
_METHODS = ("get", "post", "put", "delete")


def with_tables(page: str, document: dict[str, Any]) -> str:
    """The page with its tables as `document`, an OpenAPI document, has them now."""
    makers = {"endpoints": _endpoints, "parameters": _parameters, "fields": _fields}

    def made(found: re.Match[str]) -> str:
        kind, asked = found.groups()
        return f"<!-- {kind}: {asked} -->\n{makers[kind](document, asked.split())}<!-- end -->"

    return _BLOCK.sub(made, page)


def listed_paths(page: str) -> list[str]:
    """Method and path of every operation in the tables of the page, as often as it stands there."""
    return re.findall(r"^\| `((?:GET|POST|PUT|DELETE) [^`]+)` \|", page, re.MULTILINE)


def _endpoints(document: dict[str, Any], asked: Sequence[str]) -> str:
    chosen = [path for path in document["paths"] if any(fnmatchcase(path, one) for one in asked)]
    assert chosen, f"no endpoint is at {asked}"
    rows = [
        (f"`{method.upper()} {path}`", _meaning(operation), _role(operation))
        for path in chosen
        for method in _METHODS
        if (operation := document["paths"][path].get(method))
    ]
    return _table(("endpoint", "what it is", "role"), rows)


def _meaning(operation: dict[str, Any]) -> str:
    text = f"**{operation['summary']}.** {_line(operation['description'])}"
    status = next(status for status in operation["responses"] if status.startswith("2"))
    return text if status == "200" else f"{text} {status}"


def _role(operation: dict[str, Any]) -> str:
    needed = operation.get("security")
    return next(iter(needed[0].values()))[0] if needed else "none"


def _parameters(document: dict[str, Any], asked: Sequence[str]) -> str:
    path, *only = [word for word in asked if word != "only"]
    parameters = [
        parameter
        for parameter in document["paths"][path]["get"]["parameters"]
        if parameter["in"] == "query" and (not only or parameter["name"] in only)
    ]
    rows = [
        (
            f"`{parameter['name']}`",
            _values(document, parameter["schema"]),
            _default(parameter),
            _line(parameter["description"]),
        )
        for parameter in parameters
    ]
    return _table(("parameter", "values", "default", "meaning"), rows)


def _default(parameter: dict[str, Any]) -> str:
    if parameter["required"]:
        return "required"
    default = parameter["schema"].get("default")
    return "" if default is None else f"`{str(default).lower()}`"


def _fields(document: dict[str, Any], asked: Sequence[str]) -> str:
    schemas = document["components"]["schemas"]
    rows = [
        (f"`{name}`", _values(document, field), _line(_description(document, field)))
        for record in asked
        for name, field in schemas[record]["properties"].items()
    ]
    return _table(("field", "values", "meaning"), rows)


def _description(document: dict[str, Any], field: dict[str, Any]) -> str:
    if "description" in field:
        return str(field["description"])
    return str(next(_kinds(document, field)).get("description", ""))


def _values(document: dict[str, Any], schema: dict[str, Any]) -> str:
    return " or ".join(dict.fromkeys(_value(document, kind) for kind in _kinds(document, schema)))


def _kinds(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The kinds of value that a schema allows, with references followed."""
    for key in ("oneOf", "anyOf", "allOf"):
        if key in schema:
            for one in schema[key]:
                yield from _kinds(document, one)
            return
    if "$ref" in schema:
        yield from _kinds(
            document, document["components"]["schemas"][schema["$ref"].split("/")[-1]]
        )
        return
    yield schema


def _value(document: dict[str, Any], schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value is not None)
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_values(document, schema['items'])}" + _range(
            schema, "minItems", "maxItems", ", {} of them"
        )
    if kind == "string" and schema.get("format") == "date-time":
        return "time"
    if kind in ("integer", "number"):
        return "number" + _range(schema, "minimum", "maximum", " {}")
    if kind == "string":
        return "text" + _range(schema, "minLength", "maxLength", " of {} characters")
    return {"boolean": "true, false", "null": "null"}.get(str(kind), "object")


def _range(schema: dict[str, Any], least: str, most: str, words: str) -> str:
    """Such as ``1 to 100`` in the words given; empty without bounds."""
    low, high = schema.get(least), schema.get(most)
    if low is None and high is None:
        return ""
    if high is None:
        return words.format(f"{low:,} or more")
    return words.format(f"{low or 0:,} to {high:,}")


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
