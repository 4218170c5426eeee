"""Rejected rows of an ingestion: the user's own data, for keys that may operate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.response import Stream
from msgspec import Meta

from api.description import Content
from api.filters import CURSOR, Limit, PathCursor
from api.ingestions import IngestionName, find
from api.listed import Excel, marked
from api.negotiation import accepted
from api.problems import BadRequest, Mistake
from api.query import Path, Query, Text
from api.routes import reads
from api.schemas import fields
from api.streaming import stream
from daemon.clock import Clock
from daemon.config import Settings
from daemon.errors import InvalidQuery
from daemon.events import ErrorInfo
from daemon.pipelines.ingest import rejected_rows as kept
from daemon.pipelines.ingest.config import PIPELINE
from daemon.pipelines.ingest.rejected_export import csv_of, json_lines_of
from daemon.pipelines.ingest.rejected_rows import Filter, RejectedRows
from daemon.taxonomy import Category
from daemon.triage import Triage

Format = Literal["json", "csv", "jsonl"]

_BY_ACCEPT: dict[str, Format] = {
    "text/csv": "csv",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
}


class RejectedQuery(Query, frozen=True, kw_only=True):
    """Which rows, and as what."""

    path: Annotated[Path | None, Meta(description="Only of the file at this path.")] = None
    cause: Annotated[
        Text | None, Meta(description="Only of this cause, as `cause` of a row or failure has it.")
    ] = None
    format: Annotated[
        Format | None,
        Meta(
            description="`csv` and `jsonl` give all rows as a file that can be fixed and loaded "
            "again; `json` gives a page of them. By `Accept` if not given."
        ),
    ] = None
    excel: Excel = False
    limit: Limit = 50
    cursor: PathCursor = None


class RejectedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was set aside."""

    path: Annotated[str, Meta(description="File that it is in.", examples=["2026/orders-31.csv"])]
    row_number: Annotated[
        int,
        Meta(description="Its number; the header of a CSV file is row 1.", examples=[17]),
    ]
    column: Annotated[
        str | None, Meta(description="The column at fault, when it is one.", examples=["amount"])
    ]
    category: Annotated[
        Category, Meta(description="What kind of failure it is.", examples=["schema_mismatch"])
    ]
    cause: Annotated[
        str,
        Meta(description="What rows with the same fault share.", examples=["CAST:amount"]),
    ]
    reason: Annotated[str | None, Meta(description="What is wrong with it.")]
    raw: Annotated[str, Meta(description="The row as it stands in the file.", examples=["7,x,12"])]

    @classmethod
    def of(cls, row: kept.StoredRejection, category: Category) -> RejectedRow:
        """The row as it is kept."""
        return cls(
            path=row.path,
            row_number=row.row_number,
            column=row.column_name,
            category=category,
            cause=row.cause,
            reason=row.reason,
            raw=row.raw,
        )


class RejectedRowList(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that were set aside, by file and number."""

    rows: Annotated[list[RejectedRow], Meta(description="This page of them.")]
    total_rows: Annotated[int, Meta(description="All that match.", examples=[7])]
    next_cursor: Annotated[
        str | None, Meta(description="Value of `cursor` for the next page; null on the last one.")
    ]
    timestamp: fields.Timestamp


@reads(
    "/api/ingestions/{name:str}/rejected",
    RejectedQuery,
    role="operate",
    summary="Rejected rows",
    operation_id="listRejectedRows",
    content=Content(
        RejectedRowList,
        "A page of the rows, or all of them as a file.",
        also=("text/csv", "application/x-ndjson"),
    ),
)
def list_rejected(
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
    triage: NamedDependency[Triage],
    rejected_rows: NamedDependency[RejectedRows],
    request: Request[Any, Any, Any],
    name: IngestionName,
    wanted: NamedDependency[RejectedQuery],
) -> Response[Any]:
    """Bad rows of permissive loads, with their reason, as a page or as a file to fix and load again."""
    source = find(settings, name)
    chosen = Filter(path=wanted.path, cause=wanted.cause)
    match wanted.format or accepted(request, _BY_ACCEPT, "json"):
        case "csv":
            delimiter = source.delimiter or ","
            rows = csv_of(rejected_rows, name, chosen, _categories(triage), delimiter)
            return _file(
                marked(rows, excel=wanted.excel), "text/csv; charset=utf-8", f"{name}-rejected.csv"
            )
        case "jsonl":
            lines = json_lines_of(rejected_rows, name, chosen)
            return _file(lines, "application/x-ndjson", f"{name}-rejected.jsonl")
    return Response(_page(clock, triage, rejected_rows, name, chosen, wanted))


def _page(
    clock: Clock,
    triage: Triage,
    rejected_rows: RejectedRows,
    name: str,
    chosen: Filter,
    wanted: RejectedQuery,
) -> RejectedRowList:
    try:
        page = rejected_rows.page(name, chosen, wanted.limit, wanted.cursor)
    except InvalidQuery:
        raise BadRequest([Mistake(CURSOR, "cursor")]) from None
    category = _categories(triage)
    return RejectedRowList(
        rows=[RejectedRow.of(row, category(row.error_class)) for row in page.rows],
        total_rows=rejected_rows.count(name, chosen),
        next_cursor=page.next_cursor,
        timestamp=clock.now(),
    )


def _categories(triage: Triage) -> Callable[[str], Category]:
    """The category of an error class, looked up once each."""

    @cache
    def category(error_class: str) -> Category:
        return triage.classify(ErrorInfo(message="", error_class=error_class), PIPELINE).category

    return category


def _file(chunks: Iterator[bytes], media_type: str, file_name: str) -> Stream:
    answer = stream(chunks, media_type, file_name)
    answer.headers["vary"] = "Accept"
    return answer
