"""Gives back memory that only the start needed."""

from __future__ import annotations

import ctypes
import logging
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger("triaged")

_RANGE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r-xp ")


def release_start_code() -> None:
    """Unmaps program code until it is used again, which for most of it is never.

    Starting runs through much of DuckDB's 60 MB of code once. Those pages hold what is in the file and
    cannot be written, so letting go of them is safe: the kernel maps what is needed again, from its
    cache, at the next use. Does nothing where the system does not let us.
    """
    try:
        regions = list(_code_regions(Path("/proc/self/maps").read_text()))
        advise = ctypes.CDLL(None, use_errno=True).madvise
    except (OSError, AttributeError):
        return
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end in regions:
        advise(start, end - start, mmap.MADV_DONTNEED)


def _code_regions(maps: str) -> Iterator[tuple[int, int]]:
    """Where code is mapped from files, read-only."""
    for line in maps.splitlines():
        region = _RANGE.match(line)
        if region and "/" in line:
            yield int(region[1], 16), int(region[2], 16)
