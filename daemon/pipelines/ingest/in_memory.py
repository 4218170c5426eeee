"""Files in memory, for what DuckDB is to read of what Python has."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def memory_file(write: Callable[[BinaryIO], object]) -> Iterator[str]:
    """The name under which DuckDB reads what `write` writes."""
    descriptor = os.memfd_create("triaged-records")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            write(file)
        yield f"/dev/fd/{descriptor}"
    finally:
        os.close(descriptor)
