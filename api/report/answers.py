"""Rows as JSON or CSV, compressed if that is accepted. Without rows ``[]``, or a header line."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from litestar import Request, Response

from api.compression import accepts_gzip
from daemon.pipelines.ingest.spreadsheet import defuse

Format = Literal["json", "csv"]

_LEVEL = 3
_WORTH_COMPRESSING = 1_000
"""Bytes."""
_CSV = "text/csv; charset=utf-8; header=present"


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
    sent = {**(headers or {}), "vary": "Accept, Accept-Encoding"}
    if (wanted or _accepted(request.headers.get("accept", ""))) == "csv":
        body, media_type = _csv(found, columns), _CSV
    else:
        body, media_type = _json(found), "application/json"
    if len(body) > _WORTH_COMPRESSING and accepts_gzip(request.headers.get("accept-encoding", "")):
        body = gzip.compress(body, _LEVEL)
        sent["content-encoding"] = "gzip"
    return Response(body, headers=sent, media_type=media_type)


def columns_of(record: type[msgspec.Struct]) -> tuple[str, ...]:
    """All columns of a record, by the names that answers have."""
    return tuple(field.encode_name for field in msgspec.structs.fields(record))


def _accepted(accept: str) -> Format:
    for part in accept.split(","):
        kind = part.partition(";")[0].strip().lower()
        if kind in ("application/json", "text/csv"):
            return "csv" if kind == "text/csv" else "json"
    return "json"


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
            return defuse([",".join(map(str, value))])[0]
        case str():
            return defuse([str(value)])[0]
    return value
