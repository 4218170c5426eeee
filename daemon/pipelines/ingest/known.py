"""What is known of the files that were processed so far, packed so that it goes along with a run's order.

A hundred thousand files take 5 MB, and finding one among them takes two microseconds: keys in ascending order,
searched by bisection, and a record of fixed width for each.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

import msgspec

from daemon.pipelines.ingest.ports import Candidate, ListedFile
from daemon.taxonomy import FileStatus

_RECORD = struct.Struct("<qq16sqBBI")
_STATUSES = tuple(FileStatus)
_LOADED = (FileStatus.SUCCESS, FileStatus.PARTIAL)
_SET_ASIDE = (FileStatus.QUARANTINED, FileStatus.IGNORED)


class KnownFile(NamedTuple):
    """A file as it was when it was last processed."""

    key: int
    """See `key_of`."""
    size: int
    mtime_ns: int
    content_hash: str
    """32 hex digits; empty when it could not be read."""
    status: str
    rows_loaded: int
    due: bool
    """Whether it is to be read again though it did not change."""
    run_id: str
    """The run that it was last processed in."""


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    keys: memoryview
    """Of 8 bytes each, in the machine's own order of bytes."""
    records: memoryview
    runs: list[str]
    """What the records' last field counts: only of files that are due a run has to be known."""
    closed: frozenset[str]
    newest: datetime | None


def key_of(path: str) -> int:
    """The first 64 bits of the path's SHA-256."""
    return int.from_bytes(sha256(path.encode()).digest()[:8], "big")


def pack(
    files: Iterable[KnownFile], closed: Iterable[str] = (), newest: datetime | None = None
) -> bytes:
    """The files, which come in the order of their keys, and folders that could not be listed so far.

    `newest` is when the last new file came; without any, when they were first looked for.
    """
    keys, records = bytearray(), bytearray()
    runs: dict[str, int] = {}
    for key, size, mtime_ns, content_hash, status, rows_loaded, due, run_id in files:
        keys += struct.pack("=Q", key)
        records += _RECORD.pack(
            size,
            mtime_ns,
            bytes.fromhex(content_hash),
            rows_loaded,
            _STATUSES.index(FileStatus(status)),
            due,
            runs.setdefault(run_id, len(runs)) if due else 0,
        )
    return msgspec.msgpack.encode(
        _Packed(memoryview(keys), memoryview(records), list(runs), frozenset(closed), newest)
    )


class KnownFiles:
    """Finds out which files of a folder have to be looked at."""

    def __init__(self, packed: bytes) -> None:
        """`packed` is what `pack` made; empty when nothing is known."""
        found = msgspec.msgpack.decode(packed, type=_Packed) if packed else _NOTHING
        self._keys = found.keys.cast("B").cast("Q")
        self._records = found.records
        self._runs = found.runs
        self.closed = found.closed
        """Folders that could not be listed, and have failed for that."""
        self.newest = found.newest
        """When the last new file came, or files were first looked for; None in the first run."""

    def candidates(
        self, listed: Iterable[ListedFile], holds: Callable[[str, str], bool] | None = None
    ) -> list[Candidate]:
        """Those of a listing that have to be looked at, in listed order.

        Files that did not change by size and modification time are left out, and so are quarantined
        and ignored ones, and failed ones that no retry is due for. `holds` is asked with path and content
        hash whether the warehouse holds what was loaded; without it all of that is taken to be there.
        """
        return [candidate for file in listed if (candidate := self._candidate(file, holds))]

    def _candidate(
        self, listed: ListedFile, holds: Callable[[str, str], bool] | None
    ) -> Candidate | None:
        key = key_of(listed.path)
        at = bisect_left(self._keys, key)
        if at == len(self._keys) or self._keys[at] != key:
            return Candidate(listed, None, None, 0, forced=False)
        size, mtime_ns, content_hash, rows_loaded, number, due, run = _RECORD.unpack_from(
            self._records, at * _RECORD.size
        )
        status = _STATUSES[number]
        if due:
            return Candidate(
                listed,
                content_hash.hex(),
                status,
                rows_loaded,
                forced=True,
                known_run=self._runs[run],
            )
        if status in _SET_ASIDE:
            return None
        if (size, mtime_ns) == (listed.size, listed.mtime_ns) and (
            holds is None or status not in _LOADED or holds(listed.path, content_hash.hex())
        ):
            return None
        return Candidate(listed, content_hash.hex(), status, rows_loaded, forced=False)


_NOTHING = _Packed(memoryview(b""), memoryview(b""), [], frozenset(), None)
