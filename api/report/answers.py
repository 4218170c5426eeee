"""Rows as JSON or CSV, compressed if that is accepted. Without rows ``[]``, or a header line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from litestar import Request, Response

from api.listed import CSV, ListForm, as_csv, csv_of
from api.negotiation import packed

_LEVEL = 3
_WORTH_COMPRESSING = 1_001
"""Bytes."""


def rows(
    request: Request[Any, Any, Any],
    found: Iterable[msgspec.Struct],
    columns: Sequence[str],
    wanted: ListForm,
    headers: Mapping[str, str] | None = None,
) -> Response[Any]:
    """Records as they are wanted, by `format` or by the Accept header.

    `columns` are those of CSV. `headers` say what has no place in a list.
    """
    if as_csv(request, wanted.format):
        body, media_type = csv_of(found, columns, excel=wanted.excel), CSV
    else:
        body, media_type = _json(found), "application/json"
    return packed(request, body, media_type, headers or {}, level=_LEVEL, least=_WORTH_COMPRESSING)


def _json(found: Iterable[msgspec.Struct]) -> bytes:
    """The list, record by record, so that they need not all be there at once."""
    body = bytearray(b"[")
    encoder = msgspec.json.Encoder()
    for number, record in enumerate(found):
        if number:
            body += b","
        encoder.encode_into(record, body, -1)
    return bytes(body + b"]")
