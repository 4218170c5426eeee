"""Keeps the process small: one heap for all threads, and no program code that only the start needed."""

from __future__ import annotations

import ctypes
import gc
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # <malloc.h> of glibc
_LARGE_BYTES = 64 * 1024
_REGION = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r-[-x]p \S+ \S+ [1-9]\d*\s", re.MULTILINE)


def share_one_heap() -> None:
    """Lets all threads allocate from one heap, where glibc would give each a heap of its own.

    What is large has pages of its own, and so leaves no hole in the heap once it is free. To be called before there are threads. Does nothing where the system's C library is another.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def settle() -> None:
    """Lets go of what only the start needed, and of watching what it made.

    Objects that are there by now stay for good, so the garbage collector need not look at them again.
    Program code is unmapped until it is used again, which for most of it is never.

    Starting runs through much of DuckDB's 60 MB of code and tables once. The pages that are let go of
    hold what is in the file, unchanged: the kernel maps those that are needed again, from its cache.
    """
    gc.collect()
    gc.freeze()
    madvise = getattr(ctypes.CDLL(None), "madvise", None)
    smaps = Path("/proc/self/smaps")
    if madvise is None or not smaps.exists():
        return
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end in _unchanged_code(smaps.read_text()):
        madvise(start, end - start, mmap.MADV_DONTNEED)


def _unchanged_code(smaps: str) -> Iterator[tuple[int, int]]:
    """Where files are mapped read-only and no page differs from its file."""
    regions = list(_REGION.finditer(smaps))
    for region, following in zip(regions, [*regions[1:], None], strict=True):
        facts = smaps[region.end() : following.start() if following else len(smaps)]
        anonymous = re.search(r"^Anonymous:\s+(\d+) kB", facts, re.MULTILINE)
        if anonymous is not None and anonymous[1] == "0":
            yield int(region[1], 16), int(region[2], 16)
