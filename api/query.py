"""Query parameters as frozen records: read strictly, every mistake reported, documented from one place.

Unknown and repeated parameters are refused, because a mistyped filter must not silently show
everything.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from msgspec import Meta

from api.problems import BadRequest, Mistake
from daemon.config.values import Duration
from daemon.config.wording import words

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)
"""Times outside mean the same as these: nothing is stored beyond, and arithmetic stays in range."""

MOST_PARAMETERS = 100
"""A query string with more fields than this is not read."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the parameters of an endpoint.

    A field is a parameter, annotated with its type (or None) and a `Meta` that describes it.
    """


Text = Annotated[str, Meta(min_length=1, max_length=200)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Path = Annotated[str, Meta(min_length=1, max_length=4096)]
Time = Annotated[datetime, Meta(tz=True)]
"""A time with its offset."""

_WORDS = (
    "a time with its offset or in UTC, such as 2026-01-31T08:00:00Z or 2026-01-31, or how long ago, "
    "such as 90m, 2h or 7d"
)
When = Annotated[datetime, Meta(tz=True, title=_WORDS)]
"""A time as a person gives it."""

Since = Annotated[
    When | None,
    Meta(
        description="Only from this time on: with its offset or in UTC, a day, or how long ago (2h, 7d)."
    ),
]
Until = Annotated[When | None, Meta(description="Only before this time, in the same notations.")]

Moment = Annotated[
    datetime,
    Meta(
        tz=True,
        title="a time: ISO 8601 with its offset, or milliseconds since 1970",
        extra_json_schema={
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "integer", "minimum": 0, "maximum": 10**15 - 1},
            ]
        },
    ),
]
"""A time as dashboards write it; what people write is understood, too."""


def one_of(choices: Iterable[str], description: str) -> Meta:
    """A parameter, text, that has one of some values."""
    return Meta(description=description, extra_json_schema={"enum": [str(c) for c in choices]})


class Field(NamedTuple):
    """A parameter as it is read and documented."""

    name: str
    attribute: str
    """What it is called in the record."""
    kind: Any
    """The type of a value that is there, with its limits."""
    plain: type
    schema: dict[str, Any]
    required: bool
    default: Any


def reader(kind: type[Query]) -> Callable[[Request[Any, Any, Any]], Any]:
    """A dependency that reads the parameters of a request as a `kind`. Raises `BadRequest`."""

    def read(request: Request[Any, Any, Any]) -> Any:
        return parse(kind, request.scope["query_string"], request.app.state.clock.now())

    return read


def parse(kind: type[Query], text: bytes, now: datetime = _LAST) -> Query:
    """The parameters in a query string that is read at `now`. Raises `BadRequest` with every mistake."""
    values: dict[str, Any] = {}
    mistakes = []
    fields = fields_of(kind)
    for name, value in _pairs(text):
        if name not in fields:
            known = f"one of the parameters {', '.join(fields)}" if fields else "no parameters"
            mistakes.append(Mistake(known, name[:100]))
        elif name in values:
            mistakes.append(Mistake("it only once", name))
        else:
            converted = values[name] = _convert(value, fields[name], now)
            if converted is None:
                mistakes.append(Mistake(expected(fields[name].schema), name))
    missing = [f for f in fields.values() if f.required and f.name not in values]
    mistakes += [Mistake(expected(field.schema), field.name) for field in missing]
    if mistakes:
        raise BadRequest(mistakes)
    return kind(**{fields[name].attribute: value for name, value in values.items()})


def _pairs(text: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            text.decode("latin-1"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except UnicodeDecodeError:
        raise BadRequest([Mistake("percent-encoded UTF-8")]) from None
    except ValueError:
        raise BadRequest([Mistake(f"at most {MOST_PARAMETERS} parameters")]) from None


def _convert(text: str, field: Field, now: datetime) -> Any:
    """One value, or None when it is not what its type asks for."""
    if field.plain is datetime:
        return _time(text, now, in_milliseconds="anyOf" in field.schema)
    value: Any = text
    if field.plain is bool:
        value = {"true": True, "false": False}.get(text.lower(), text)
    elif field.plain is int and re.fullmatch(r"-?[0-9]{1,18}", text):
        value = int(text)
    try:
        value = msgspec.convert(value, field.kind)
    except msgspec.ValidationError:
        return None
    return value if value in field.schema.get("enum", (value,)) else None


def _time(text: str, now: datetime, *, in_milliseconds: bool) -> datetime | None:
    if in_milliseconds and re.fullmatch(r"[0-9]{1,15}", text):
        return from_milliseconds(int(text))
    try:
        return bounded(now - timedelta(seconds=Duration.parse(text)))
    except (ValueError, OverflowError):
        pass
    try:
        # The + of an offset that was not encoded arrives as a space.
        value = datetime.fromisoformat(re.sub(r"(T\S+) (\d\d:\d\d)$", r"\1+\2", text))
    except ValueError:
        return None
    return bounded(value if value.tzinfo else value.replace(tzinfo=UTC))


def from_milliseconds(value: float) -> datetime:
    """A time that is given in milliseconds since 1970, in UTC, or the last that makes a difference."""
    last = (_LAST - _FIRST) // timedelta(milliseconds=1)
    return _FIRST + timedelta(milliseconds=min(max(value, 0), last))


def bounded(value: datetime) -> datetime:
    """A time, or the first or last one that makes a difference."""
    return min(max(value, _FIRST), _LAST)


@cache
def fields_of(kind: type[Query]) -> dict[str, Field]:
    """The parameters of an endpoint by name."""
    return {field.encode_name: _field(field) for field in msgspec.structs.fields(kind)}


def _field(field: msgspec.structs.FieldInfo) -> Field:
    kind, *description = get_args(field.type)
    if get_origin(kind) in (types.UnionType, Union):
        kind = next(k for k in get_args(kind) if k is not types.NoneType)
    kind = Annotated[(kind, *description)]
    default = None if field.required else field.default
    return Field(
        field.encode_name,
        field.name,
        kind,
        get_args(kind)[0],
        msgspec.json.schema(kind),
        field.required,
        default,
    )


def expected(schema: dict[str, Any]) -> str:
    """What a JSON schema asks for, in words."""
    return str(schema.get("title") or words(schema))
