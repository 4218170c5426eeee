"""Lists as JSON or CSV, by one rule: `format`, or else the Accept header. CSV has the columns that records have in JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol

import msgspec
from litestar import Request, Response
from msgspec import Meta

from api.description import Content
from api.negotiation import accepted
from daemon.formulas import defuse

Format = Literal["json", "csv"]

CSV = "text/csv; charset=utf-8; header=present"
_BY_ACCEPT: dict[str, Format] = {"application/json": "json", "text/csv": "csv"}
_MARK = "\ufeff".encode()

Excel = Annotated[
    bool,
    Meta(
        description="Whether CSV begins with a byte order mark, by which Excel knows it for UTF-8."
    ),
]


ListFormat = Annotated[
    Format | None,
    Meta(
        description="`csv` gives the page as CSV, with the columns of its records in JSON; by `Accept` if not "
        "given."
    ),
]


class ListForm(Protocol):
    """The parameters of a list that say as what it is wanted."""

    @property
    def format(self) -> Format | None: ...

    @property
    def excel(self) -> bool: ...


def a_list(answer: type[msgspec.Struct]) -> Content:
    """What an endpoint answers that lists."""
    return Content(answer, "A page of them, as JSON or CSV.", also=("text/csv",))


def as_csv(request: Request[Any, Any, Any], wanted: Format | None) -> bool:
    """Whether CSV is wanted."""
    return (wanted or accepted(request, _BY_ACCEPT, "json")) == "csv"


def listed(
    request: Request[Any, Any, Any],
    wanted: ListForm,
    answer: msgspec.Struct,
    records: Sequence[msgspec.Struct],
    record: type[msgspec.Struct],
) -> Response[Any]:
    """An answer, or of its `records`, each a `record`, the CSV. Where the next page begins is in `X-Next-Cursor`
    then."""
    headers = {"vary": "Accept"}
    if not as_csv(request, wanted.format):
        return Response(answer, headers=headers)
    cursor = getattr(answer, "next_cursor", None)
    if cursor is not None:
        headers["x-next-cursor"] = str(cursor)
    body = csv_of(records, columns_of(record), excel=wanted.excel)
    return Response(body, headers=headers, media_type=CSV)


def columns_of(record: type[msgspec.Struct]) -> tuple[str, ...]:
    """All columns of a record, by the names that answers have."""
    return tuple(field.encode_name for field in msgspec.structs.fields(record))


def csv_of(found: Iterable[msgspec.Struct], columns: Sequence[str], *, excel: bool) -> bytes:
    """Records as CSV with a header line."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    attributes: list[str] | None = None
    for record in found:
        if attributes is None:
            named = {f.encode_name: f.name for f in msgspec.structs.fields(record)}
            attributes = [named[column] for column in columns]
        writer.writerow([_cell(getattr(record, attribute)) for attribute in attributes])
    return (_MARK if excel else b"") + text.getvalue().encode()


def marked(chunks: Iterator[bytes], *, excel: bool) -> Iterator[bytes]:
    """A CSV that comes in chunks, with a byte order mark for Excel."""
    if excel:
        yield _MARK + next(chunks, b"")
    yield from chunks


def _cell(value: Any) -> Any:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case list() if all(isinstance(item, str | int) for item in value):
            return defuse(",".join(map(str, value)))
        case str():
            return defuse(value)
        case list() | dict() | msgspec.Struct():
            return defuse(msgspec.json.encode(value).decode())
    return value
