"""Records that Python has read, on their way into a table in batches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import msgspec

from daemon.pipelines.ingest.conversion import Conversion, TargetColumn
from daemon.pipelines.ingest.exactness import doubts
from daemon.pipelines.ingest.in_memory import memory_file
from daemon.pipelines.ingest.load import Load

_BATCH = 20_000
_ENCODER = msgspec.json.Encoder()


class Record(msgspec.Struct):
    """One record of the file as text."""

    number: int
    """Its place in the file, as the format counts."""
    raw: str | None
    defect: str | None
    """Why it is no row, by the class of the fault."""
    cells: Sequence[str | None]
    """For each column of the load; empty when there is a defect."""


def load_records(load: Load, records: Iterator[Record], misfit: str) -> None:
    """Loads records; `misfit` is the error class of a value that does not fit its column."""
    if load.take(records, misfit):
        return
    patterns = _patterns(load.columns)
    while batch := list(islice(records, _BATCH)):
        _load_batch(load, batch, misfit, doubtful=_is_doubtful(batch, patterns))


def _patterns(columns: Sequence[TargetColumn]) -> list[tuple[int, re.Pattern[str]]]:
    found = ((at, doubts(column.type)) for at, column in enumerate(columns))
    return [(at, re.compile(pattern)) for at, pattern in found if pattern]


def _is_doubtful(batch: Sequence[Record], patterns: Sequence[tuple[int, re.Pattern[str]]]) -> bool:
    return any(
        pattern.search(record.cells[at] or "")
        for at, pattern in patterns
        for record in batch
        if record.cells
    )


def _load_batch(load: Load, batch: Sequence[Record], misfit: str, *, doubtful: bool) -> None:
    with relation_of(batch, len(load.columns)) as relation:
        conversion = Conversion(relation, load.columns, "number", misfit, doubtful, load.notation)
        if load.insert(conversion.good_rows()) < len(batch):
            load.reject(conversion.bad_rows())


@contextmanager
def relation_of(batch: Sequence[Record], width: int) -> Iterator[str]:
    """SQL of records with as many cells each, as `Conversion` takes it.

    Reading takes several buffers for the largest object that there may be: all of them, no more.
    """
    data = _ENCODER.encode_lines(batch)
    values = ", ".join(f"cells[{at + 1}] AS v{at}" for at in range(width))
    with memory_file(lambda file: file.write(data)) as place:
        yield f"""SELECT number, raw, defect, {values}
            FROM read_json('{place}', format = 'newline_delimited',
                maximum_object_size = {len(data)}, columns = {{number: 'BIGINT', raw: 'VARCHAR',
                defect: 'VARCHAR', cells: 'VARCHAR[]'}})"""
