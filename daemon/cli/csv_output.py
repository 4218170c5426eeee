"""CSV that comes in chunks, written as it is or only its beginning."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator


def write(chunks: Iterable[bytes], limit: int | None) -> None:
    """Writes an export to standard output, cut after `limit` records."""
    for chunk in chunks if limit is None else first_records(chunks, limit + 1):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def first_records(chunks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """The first `count` records of a CSV: one ends at a line break outside quotes."""
    quoted = False
    for chunk in chunks:
        for line in chunk.splitlines(keepends=True):
            yield line
            quoted ^= line.count(b'"') % 2 == 1
            count -= line.endswith(b"\n") and not quoted
            if count == 0:
                return
