"""Rows as JSON or CSV, compressed if that is accepted. Without rows ``[]``, or a header line."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
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
    found: Sequence[msgspec.Struct],
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
        body, media_type = msgspec.json.encode(found), "application/json"
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


def _csv(found: Sequence[msgspec.Struct], columns: Sequence[str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for record in found:
        values = msgspec.to_builtins(record)
        writer.writerow(_cell(values.get(column)) for column in columns)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return defuse([",".join(map(str, value))])[0]
        case str():
            return defuse([value])[0]
    return value
