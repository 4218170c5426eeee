"""Keeps the process small: one heap for all threads, and of program code only what is in use."""

from __future__ import annotations

import ctypes
import gc
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # <malloc.h> of glibc
_LARGE_BYTES = 64 * 1024
_PIECE_BYTES = 2 * mmap.PAGESIZE
_REGION = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r-([-x])p \S+ \S+ [1-9]\d*\s", re.MULTILINE)


def share_one_heap() -> None:
    """Lets all threads allocate from one heap, where glibc would give each a heap of its own.

    What is large has pages of its own, and so leaves no hole in the heap once it is free. To be called
    before there are threads. Does nothing where the system's C library is another.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


class Region(NamedTuple):
    """Addresses where a file is mapped read-only and nothing in memory differs from it."""

    start: int
    end: int
    executable: bool


class ProgramCode:
    """The code of the program and its libraries: 60 MB of DuckDB's alone, little of which is ever run.

    All of it is in the kernel's file cache anyway. What is regulated here is how much of it the
    kernel counts as this process's own.
    """

    def __init__(self, regions: list[Region]) -> None:
        self._regions = regions
        self._madvise = getattr(ctypes.CDLL(None), "madvise", None)
        if self._madvise is not None:
            self._madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

    @classmethod
    def loaded(cls) -> Self:
        """What is mapped by now; nothing where the system does not tell."""
        smaps = Path("/proc/self/smaps")
        return cls(list(_unchanged(smaps.read_text())) if smaps.exists() else [])

    def map_piecewise(self) -> None:
        """From now on a page that is used brings one neighbour with it, and not the fifteen around it.

        The kernel maps neighbours ahead only within a mapping, so the code is divided into many small
        ones. They differ in a flag without effect on code, which core dumps leave out in any case.
        """
        for start, end, executable in self._regions:
            if executable:
                for piece in range(start, end, 2 * _PIECE_BYTES):
                    self._advise(piece, min(piece + _PIECE_BYTES, end), mmap.MADV_DONTDUMP)
        self.let_go()

    def let_go(self) -> None:
        """Unmaps all of it until it is used again, which for what only the start needed is never."""
        for start, end, _ in self._regions:
            self._advise(start, end, mmap.MADV_DONTNEED)

    def _advise(self, start: int, end: int, advice: int) -> None:
        if self._madvise is not None:
            self._madvise(start, end - start, advice)


def settle(code: ProgramCode) -> None:
    """Lets go of what only the start needed, and of watching what it made.

    Objects that are there by now stay for good, so the garbage collector need not look at them again.
    """
    gc.collect()
    gc.freeze()
    code.let_go()


def _unchanged(smaps: str) -> Iterator[Region]:
    regions = list(_REGION.finditer(smaps))
    for region, following in zip(regions, [*regions[1:], None], strict=True):
        facts = smaps[region.end() : following.start() if following else len(smaps)]
        anonymous = re.search(r"^Anonymous:\s+(\d+) kB", facts, re.MULTILINE)
        if anonymous is not None and anonymous[1] == "0":
            yield Region(int(region[1], 16), int(region[2], 16), region[3] == "x")
