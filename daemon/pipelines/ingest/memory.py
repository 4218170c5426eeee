"""Memory that DuckDB takes outside its own limit, watched and given back."""

from __future__ import annotations

import ctypes
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from daemon.errors import TriagedError
from daemon.pipelines.ingest.interruption import interrupting

_STATM = Path("/proc/self/statm")
_MARGIN = 128 * 1000**2
_PERIOD = 0.05


class TooMuchMemory(TriagedError):
    """The statement took more memory than it may."""


def resident() -> int:
    """Bytes of this process in memory; where the system does not tell, the most there ever were."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@contextmanager
def bounded(connection: duckdb.DuckDBPyConnection, allowance: int) -> Iterator[None]:
    """Interrupts statements once the process grew by `allowance` bytes and a margin.

    DuckDB holds rejected CSV rows outside `memory_limit`, 1.3 KB for each wrong cell, which a file
    of millions of bad rows turns into many GB. Raises `TooMuchMemory`.
    """
    ceiling = resident() + allowance + _MARGIN
    exceeded = threading.Event()

    def is_too_much() -> bool:
        if resident() > ceiling:
            exceeded.set()
        return exceeded.is_set()

    try:
        with interrupting(connection.interrupt, is_too_much, _PERIOD):
            yield
    except duckdb.InterruptException:
        if exceeded.is_set():
            raise TooMuchMemory from None
        raise


def give_back() -> None:
    """Returns freed memory to the system where the C library keeps it otherwise (glibc)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
