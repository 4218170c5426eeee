"""Rejected rows as files to fix: CSV or JSON lines that the same ingestion can read again.

A CSV has the original columns, then ``_triaged_path``, ``_triaged_row``, ``_triaged_category``,
``_triaged_column``, ``_triaged_reason`` and ``_triaged_raw`` (the raw text, where the columns
cannot hold all of it). The loader leaves these out. Both are streams of bytes and take little memory.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator

import msgspec

from daemon.formulas import defuse
from daemon.pipelines.ingest.csv_layout import ADDED_PREFIX
from daemon.pipelines.ingest.csv_rows import LONGEST_LINE
from daemon.pipelines.ingest.defects import MISFITS
from daemon.pipelines.ingest.notation import Dialect
from daemon.pipelines.ingest.rejected_rows import Filter, RejectedRows, StoredRejection
from daemon.pipelines.ingest.rejects import RawLayout

_ADDED = tuple(
    ADDED_PREFIX + name for name in ("path", "row", "category", "column", "reason", "raw")
)
_CHUNK = 1 << 16

Categorise = Callable[[str], str]
"""The triage category of an error class."""


def csv_of(
    rows: RejectedRows,
    source: str,
    wanted: Filter,
    categorise: Categorise | None = None,
    delimiter: str = ",",
) -> Iterator[bytes]:
    """The rows as CSV. `delimiter` is the one that the ingestion is configured to read."""
    header = _all_columns(layout for _, layout in rows.layouts(source, wanted))
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerow(map(defuse, [*header, *_ADDED]))
    for name, layout in rows.layouts(source, wanted):
        for row in rows.stream(name, wanted):
            cells, raw = _cells(row, layout)
            added = (
                row.path,
                str(row.row_number),
                categorise(row.error_class) if categorise else "",
                row.column_name or "",
                row.reason or row.error_class,
                raw,
            )
            shown = (cells.get(column, "") for column in header)
            writer.writerow(map(defuse, [*shown, *added]))
            if buffer.tell() >= _CHUNK:
                yield _taken(buffer)
    yield _taken(buffer)


def json_lines_of(rows: RejectedRows, source: str, wanted: Filter) -> Iterator[bytes]:
    """The raw records of JSON files; rows of other files as objects of their columns."""
    buffer = io.StringIO()
    for name, layout in rows.layouts(source, wanted):
        for row in rows.stream(name, wanted):
            buffer.write(_json_line(row, layout) + "\n")
            if buffer.tell() >= _CHUNK:
                yield _taken(buffer)
    yield _taken(buffer)


def _all_columns(layouts: Iterable[RawLayout]) -> list[str]:
    """The columns of all files, each once, in the order in which they turn up."""
    columns: dict[str, None] = {}
    for layout in layouts:
        columns |= dict.fromkeys(layout.header)
    return [name for name in columns if not name.startswith(ADDED_PREFIX)]


def _cells(row: StoredRejection, layout: RawLayout) -> tuple[dict[str, str], str]:
    """The cells by column, and the raw text where they do not hold all of it, else nothing.

    Cells never hold all of what is no row at all: without its text it would come back as a good one.
    """
    is_csv = layout.format == "csv"
    cells = _csv_cells(row.raw, layout) if is_csv else _json_cells(row.raw)
    complete = row.error_class in MISFITS and set(cells) <= set(layout.header)
    return cells, "" if complete else row.raw


def _csv_cells(raw: str, layout: RawLayout) -> dict[str, str]:
    csv.field_size_limit(LONGEST_LINE)
    try:
        options = Dialect(layout.quote, layout.escape).options
        text = io.StringIO(raw, newline="")
        records = list(csv.reader(text, delimiter=layout.delimiter, **options))
    except csv.Error:
        return {}
    return dict(zip(layout.header, records[0] if records else [], strict=False))


def _json_cells(raw: str) -> dict[str, str]:
    try:
        record = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return {}
    return {name: _json_cell(bytes(value)) for name, value in record.items()}


def _json_cell(value: bytes) -> str:
    if value.startswith(b'"'):
        return msgspec.json.decode(value, type=str)
    return "" if value == b"null" else value.decode()


def _json_line(row: StoredRejection, layout: RawLayout) -> str:
    if layout.format in ("json", "jsonl"):
        return row.raw.replace("\n", " ").replace("\r", " ")
    cells, raw = _cells(row, layout)
    added = {ADDED_PREFIX + "path": row.path, ADDED_PREFIX + "row": str(row.row_number)}
    return msgspec.json.encode(
        cells | added | ({ADDED_PREFIX + "raw": raw} if raw else {})
    ).decode()


def _taken(buffer: io.StringIO) -> bytes:
    data = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return data
