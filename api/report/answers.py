"""Rows as JSON or CSV, compressed if that is accepted. Without rows ``[]``, or a header line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from litestar import Request, Response

from api.negotiation import accepted, packed
from daemon.formulas import defuse

Format = Literal["json", "csv"]

_LEVEL = 3
_WORTH_COMPRESSING = 1_001
"""Bytes."""
_CSV = "text/csv; charset=utf-8; header=present"
_BY_ACCEPT: dict[str, Format] = {"application/json": "json", "text/csv": "csv"}


def rows(
    request: Request[Any, Any, Any],
    found: Iterable[msgspec.Struct],
    columns: Sequence[str],
    wanted: Format | None,
    headers: Mapping[str, str] | None = None,
) -> Response[Any]:
    """Records as they are wanted, by `format` or by the Accept header.

    `columns` are those of CSV. `headers` say what has no place in a list.
    """
    if (wanted or accepted(request, _BY_ACCEPT, "json")) == "csv":
        body, media_type = _csv(found, columns), _CSV
    else:
        body, media_type = _json(found), "application/json"
    return packed(request, body, media_type, headers or {}, level=_LEVEL, least=_WORTH_COMPRESSING)


def columns_of(record: type[msgspec.Struct]) -> tuple[str, ...]:
    """All columns of a record, by the names that answers have."""
    return tuple(field.encode_name for field in msgspec.structs.fields(record))


def _json(found: Iterable[msgspec.Struct]) -> bytes:
    """The list, record by record, so that they need not all be there at once."""
    body = bytearray(b"[")
    encoder = msgspec.json.Encoder()
    for number, record in enumerate(found):
        if number:
            body += b","
        encoder.encode_into(record, body, -1)
    return bytes(body + b"]")


def _csv(found: Iterable[msgspec.Struct], columns: Sequence[str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    attributes: list[str] | None = None
    for record in found:
        if attributes is None:
            named = {f.encode_name: f.name for f in msgspec.structs.fields(record)}
            attributes = [named[column] for column in columns]
        writer.writerow([_cell(getattr(record, attribute)) for attribute in attributes])
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case list():
            return defuse(",".join(map(str, value)))
        case str():
            return defuse(value)
    return value
