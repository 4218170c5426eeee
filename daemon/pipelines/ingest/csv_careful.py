"""CSV files read row by row: slower, but exact whatever is wrong with them.

Used where DuckDB's reader gives up or loses count: open quotes, mixed line ends, cells of several
MB, most rows bad, values that it would round, blank lines before the header, and exports of
rejected rows. For a small file it is also the faster way.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from typing import TextIO

from daemon.formulas import restore
from daemon.pipelines.ingest.corrections import is_uncorrected
from daemon.pipelines.ingest.csv_layout import (
    ADDED_PREFIX,
    RAW_COLUMN,
    REASON_COLUMN,
    Layout,
    text_of,
)
from daemon.pipelines.ingest.csv_rows import LONGEST_LINE, RowLines, RowTooLong
from daemon.pipelines.ingest.load import Contents, Load
from daemon.pipelines.ingest.records import Record, load_records


def load_carefully(load: Load, contents: Contents) -> None:
    """Loads a CSV file row by row."""
    layout = contents.layout
    positions = layout.positions([column.name for column in load.columns])
    with text_of(contents.file, contents.encoding.compression) as text:
        rows = records(text, layout)
        if layout.was_exported:
            rows = _restored(rows, layout)
        rows = _picked(rows, positions, {"", *layout.dialect.nulls})
        load_records(load, rows, misfit="CAST")


def records(text: TextIO, layout: Layout) -> Iterator[Record]:
    """The rows below the header with all their cells; the header is row 1, as in a spreadsheet.

    A row with an open quote ends with its line. A defect is named as in DuckDB's reject table.
    """
    csv.field_size_limit(2 * LONGEST_LINE)
    dialect = layout.dialect
    for _ in range(dialect.skip):
        text.readline()
    source = RowLines(text, layout.delimiter, dialect.quote)
    options = {"delimiter": layout.delimiter, "strict": True, **dialect.options}
    reader = csv.reader(source, **options)
    number = dialect.skip
    while True:
        source.begin_row()
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, RowTooLong) as error:
            yield _unreadable(number, source, error)
            reader = csv.reader(source, **options)
            continue
        if number > layout.first_row and (cells or len(layout.header) == 1):
            yield _record(number, "".join(source.taken).rstrip("\r\n"), cells, len(layout.header))


def _record(number: int, raw: str, cells: list[str], width: int) -> Record:
    """A row; empty cells beyond the header are none, as delimiters at the end of each line leave them."""
    if len(cells) >= width and not any(cells[width:]):
        return Record(number, raw, None, cells[:width])
    if width == 1 and not cells:
        return Record(number, raw, None, [""])
    return Record(number, raw, "TOO MANY COLUMNS" if len(cells) > width else "MISSING COLUMNS", ())


def _unreadable(number: int, source: RowLines, error: csv.Error | RowTooLong) -> Record:
    if isinstance(error, RowTooLong) and source.finish_row():
        return Record(number, source.taken[0][:LONGEST_LINE], "LINE SIZE OVER MAXIMUM", ())
    return Record(number, source.keep_first().rstrip("\r\n")[:LONGEST_LINE], "UNQUOTED VALUE", ())


def _restored(found: Iterator[Record], layout: Layout) -> Iterator[Record]:
    """Rows of an export with their cells as they were; those that come back as they were rejected stay rejected."""
    own = [at for at, name in enumerate(layout.header) if not name.startswith(ADDED_PREFIX)]
    for record in found:
        if not record.defect:
            record.cells = [restore(cell or "") for cell in record.cells]
            raw, reason = (_cell(record, layout, name) for name in (RAW_COLUMN, REASON_COLUMN))
            shown = [record.cells[at] or "" for at in own]
            if is_uncorrected(shown, raw, reason, layout.delimiter):
                yield Record(record.number, raw or record.raw, "NOT_CORRECTED", ())
                continue
        yield record


def _cell(record: Record, layout: Layout, name: str) -> str:
    return record.cells[layout.header.index(name)] or "" if name in layout.header else ""


def _picked(
    found: Iterator[Record], positions: Sequence[int], nulls: Collection[str | None]
) -> Iterator[Record]:
    """Of each row the cells of the load's columns, with those that stand for no value as NULL."""
    for record in found:
        if not record.defect:
            cells = record.cells
            record.cells = [None if cells[at] in nulls else cells[at] for at in positions]
        yield record
