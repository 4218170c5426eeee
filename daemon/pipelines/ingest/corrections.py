"""Whether a rejected row that comes back in an export was corrected.

An export shows in its cells what there was room for, and the whole text beside them. Unless somebody
wrote something else into a cell, the row is the one that was rejected.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation

import msgspec

from daemon.pipelines.ingest.defects import DEFECTS

_REASONS = frozenset(DEFECTS.values())
_DELIMITERS = ",;\t|"


def is_uncorrected(cells: Sequence[str], raw: str, reason: str, delimiter: str) -> bool:
    """Whether the cells hold nothing that is not in the row's text.

    Exports of earlier versions have that text for some rows only: of others the reason tells that they were
    no rows. `delimiter` is that of the export, which need not be that of the file that the row came from.
    """
    if raw:
        shown = Counter(_values(cells))
        return any(shown <= Counter(_values(found)) for found in _readings(raw, delimiter))
    if reason == DEFECTS["MISSING COLUMNS"]:
        return not all(cells)
    return reason in _REASONS


def _readings(raw: str, delimiter: str) -> Iterator[list[str]]:
    yield _of_json(raw)
    for each in {delimiter, *_DELIMITERS}:
        try:
            rows = list(csv.reader(io.StringIO(raw, newline=""), delimiter=each))
        except csv.Error:
            continue
        yield [cell for row in rows for cell in row]


def _of_json(raw: str) -> list[str]:
    try:
        record = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return []
    values = (bytes(value).decode() for value in record.values())
    return [msgspec.json.decode(v, type=str) if v.startswith('"') else v for v in values]


def _values(cells: Iterable[str]) -> Iterator[str]:
    """What is in the cells, as spreadsheets leave it: they write 1.50 as 1.5."""
    for cell in cells:
        if text := cell.strip():
            try:
                yield str(Decimal(text).normalize())
            except InvalidOperation:
                yield text
