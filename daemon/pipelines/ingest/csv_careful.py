"""CSV files read row by row: slower, but exact whatever is wrong with them.

Used where DuckDB's reader gives up or loses count: open quotes, mixed line ends, cells of several
MB, most rows bad, blank lines before the header, and exports of rejected rows.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

import msgspec

from daemon.pipelines.ingest.conversion import Conversion
from daemon.pipelines.ingest.csv_layout import Layout, text_of
from daemon.pipelines.ingest.csv_load import LONGEST_LINE
from daemon.pipelines.ingest.load import Contents, Load
from daemon.pipelines.ingest.spreadsheet import restore

_BATCH = 20_000
_ENCODER = msgspec.json.Encoder()


class Record(NamedTuple):
    """One row of the file as it was read."""

    number: int
    """Counted as a spreadsheet does: the header is row 1."""
    raw: str
    cells: list[str]
    defect: str | None
    """Why it is no row, in the words of DuckDB's reject table."""


class _Row(msgspec.Struct):
    n: int
    raw: str
    defect: str | None
    cells: Sequence[str]


class _Lines:
    """Lines that can be put back, and what was taken of them."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._returned: list[str] = []
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._returned.pop() if self._returned else next(self._lines)
        self.taken.append(line)
        return line

    def keep_first(self) -> str:
        """The first line taken; the others will be read again."""
        first, *others = self.taken
        self._returned.extend(reversed(others))
        return first


def load_carefully(load: Load, contents: Contents) -> None:
    """Loads a CSV file in batches of rows."""
    layout = contents.layout
    positions = layout.positions([column.name for column in load.columns])
    with text_of(contents.file, contents.encoding.compression) as text:
        rows = _rows(records(text, layout), layout, positions)
        while batch := list(islice(rows, _BATCH)):
            _load_batch(load, batch)


def records(lines: Iterator[str], layout: Layout) -> Iterator[Record]:
    """The rows below the header. A row with an open quote ends with its line."""
    csv.field_size_limit(LONGEST_LINE)
    source = _Lines(lines)
    reader = csv.reader(source, delimiter=layout.delimiter, strict=True)
    number = 0
    while True:
        source.taken.clear()
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _unreadable(number, source.keep_first(), error)
            reader = csv.reader(source, delimiter=layout.delimiter, strict=True)
            continue
        if number > layout.first_row and (cells or len(layout.header) == 1):
            yield _record(number, "".join(source.taken).rstrip("\r\n"), cells, len(layout.header))


def _record(number: int, raw: str, cells: list[str], width: int) -> Record:
    found = len(cells)
    if found == width or (found == width + 1 and not cells[-1]) or (width == 1 and not found):
        return Record(number, raw, cells or [""], None)
    return Record(number, raw, [], "TOO MANY COLUMNS" if found > width else "MISSING COLUMNS")


def _unreadable(number: int, line: str, error: csv.Error) -> Record:
    raw = line.rstrip("\r\n")
    if "field limit" in str(error) and len(raw) > LONGEST_LINE:
        return Record(number, raw[:LONGEST_LINE], [], "LINE SIZE OVER MAXIMUM")
    return Record(number, raw, [], "UNQUOTED VALUE")


def _rows(found: Iterator[Record], layout: Layout, positions: Sequence[int]) -> Iterator[_Row]:
    pick = itemgetter(*positions)
    exported, single = layout.was_exported, len(positions) == 1
    for number, raw, cells, defect in found:
        if defect:
            yield _Row(number, raw, defect, ())
            continue
        picked = pick(restore(cells) if exported else cells)
        yield _Row(number, raw, None, (picked,) if single else picked)


def _load_batch(load: Load, batch: Sequence[_Row]) -> None:
    descriptor = os.memfd_create("triaged-rows")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(_ENCODER.encode_lines(batch))
        conversion = _conversion(load, f"/dev/fd/{descriptor}")
        load.insert(conversion.good_rows())
        load.reject(conversion.bad_rows())
    finally:
        os.close(descriptor)


def _conversion(load: Load, place: str) -> Conversion:
    values = ", ".join(f"nullif(cells[{at + 1}], '') AS v{at}" for at in range(len(load.columns)))
    return Conversion(
        f"""SELECT n, raw, defect, {values}
            FROM read_json('{place}', format = 'newline_delimited', maximum_object_size = 33554432,
                columns = {{n: 'BIGINT', raw: 'VARCHAR', defect: 'VARCHAR', cells: 'VARCHAR[]'}})""",
        load.columns,
        row_number="n",
    )
