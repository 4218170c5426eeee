"""How a CSV file is laid out: its delimiter and its header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import BinaryIO, cast

import msgspec
from msgspec import structs

from daemon.formulas import restore
from daemon.pipelines.ingest.failures import FileFailure
from daemon.pipelines.ingest.notation import Dialect
from daemon.pipelines.ingest.source_file import unpacked

ADDED_PREFIX = "_triaged_"
"""Starts the names of the columns that an export of rejected rows adds and an import leaves out."""
RAW_COLUMN = ADDED_PREFIX + "raw"
"""Holds the text of a row that the other columns cannot hold."""
REASON_COLUMN = ADDED_PREFIX + "reason"

_SEPARATOR = re.compile(r"sep=([^\r\n])\r?\n", re.IGNORECASE)
"""A line with which programs tell spreadsheets the delimiter."""
_DELIMITERS = ",;\t|"
_SAMPLE = 1 << 18
"""Characters that the delimiter is found out from."""


class Layout(msgspec.Struct, frozen=True):
    """Delimiter and header of one file."""

    delimiter: str
    header: tuple[str, ...]
    first_row: int
    """Row number of the header: 1 unless lines come before it; of the row before the first without one."""
    dialect: Dialect = Dialect()

    @property
    def was_exported(self) -> bool:
        """Whether the file is an export of rejected rows, whose cells are defused formulas."""
        return any(name.startswith(ADDED_PREFIX) for name in self.header)

    def positions(self, names: Sequence[str]) -> list[int]:
        """Where the columns of those names are; raises `FileFailure` when the header lacks any.

        A name matches exactly or, failing that, without regard to case.
        """
        found = [_position(self.header, name) for name in names]
        missing = [name for name, at in zip(names, found, strict=True) if at is None]
        if missing:
            raise missing_columns(missing)
        return cast("list[int]", found)


def missing_columns(names: Sequence[str]) -> FileFailure:
    """The failure of a file that lacks columns."""
    shown = ", ".join(names[:10]) + (" and more" if len(names) > 10 else "")
    return FileFailure(f"The file has no column {shown}.", "MISSING_COLUMN")


@contextmanager
def text_of(file: BinaryIO, compression: str) -> Iterator[io.TextIOWrapper]:
    """The decompressed text from its start, line ends kept; `file` stays open."""
    text = io.TextIOWrapper(unpacked(file, compression), encoding="utf-8-sig", newline="")
    try:
        yield text
    finally:
        text.detach()


def layout_of(
    file: BinaryIO,
    compression: str,
    delimiter: str | None,
    wanted: Sequence[str],
    dialect: Dialect = Dialect(),  # noqa: B008 - it is frozen
) -> Layout:
    """The layout; without `delimiter` the one that finds most of `wanted` or most columns.

    An export of rejected rows is written as exports are, whatever the files of the ingestion are like.
    """
    with text_of(file, compression) as text:
        sample = text.read(_SAMPLE)
    if ADDED_PREFIX + "path" in sample.split("\n", 1)[0]:
        dialect = Dialect()
    if found := _SEPARATOR.match(_after(sample, dialect.skip)):
        delimiter, dialect = found[1], structs.replace(dialect, skip=dialect.skip + 1)
    candidates = [_layout(sample, each, dialect) for each in delimiter or _DELIMITERS]
    return max(candidates, key=lambda layout: _fitness(layout, sample, wanted))


def _after(sample: str, lines: int) -> str:
    text = io.StringIO(sample, newline="")
    for _ in range(lines):
        text.readline()
    return text.read()


def _layout(sample: str, delimiter: str, dialect: Dialect) -> Layout:
    if dialect.names:
        return Layout(delimiter, dialect.names, dialect.skip, dialect)
    rows = _rows(_after(sample, dialect.skip), delimiter, dialect)
    for number, cells in enumerate(rows, start=dialect.skip + 1):
        if cells:
            return Layout(delimiter, _restored(cells), number, dialect)
    return Layout(delimiter, (), dialect.skip + 1, dialect)


def _restored(cells: list[str]) -> tuple[str, ...]:
    exported = any(name.startswith(ADDED_PREFIX) for name in cells)
    return tuple(map(restore, cells) if exported else cells)


def _fitness(layout: Layout, sample: str, wanted: Sequence[str]) -> tuple[int, int, int]:
    matches = sum(_position(layout.header, name) is not None for name in wanted)
    width = len(layout.header)
    dialect = layout.dialect
    found = _rows(_after(sample, dialect.skip), layout.delimiter, dialect)
    first = layout.first_row - dialect.skip
    rows = islice(found, first, first + 20)
    alike = sum(len(cells) == width for cells in rows) if width > 1 else 0
    return matches, alike, width


def _rows(sample: str, delimiter: str, dialect: Dialect) -> Iterator[list[str]]:
    text = io.StringIO(sample, newline="")
    try:
        yield from csv.reader(text, delimiter=delimiter, **dialect.options)
    except csv.Error:  # a cell longer than a sample should hold: what came before it will do
        return


def _position(header: Sequence[str], name: str) -> int | None:
    for key in (str, _loosely):
        matches = [at for at, found in enumerate(header) if key(found) == key(name)]
        if len(matches) > 1:
            raise FileFailure(f"The file has more than one column {name}.", "DUPLICATE_COLUMN")
        if matches:
            return matches[0]
    return None


def _loosely(name: str) -> str:
    return name.strip().casefold()
