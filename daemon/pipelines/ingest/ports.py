"""What the ingest pipeline asks of the rest of triaged, besides its run handle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from daemon.taxonomy import FileStatus


class ListedFile(msgspec.Struct, frozen=True):
    """A file as the folder lists it."""

    path: str
    """Relative to the ingestion's folder, with forward slashes."""
    size: int
    mtime_ns: int


class Candidate(msgspec.Struct, frozen=True):
    """A listed file that is not known as it is now, or that is due for another attempt."""

    listed: ListedFile
    known_hash: str | None
    """Content hash when it was last processed; None for a new file."""
    known_status: FileStatus | None
    known_rows: int
    """Rows that were loaded of it then."""
    forced: bool
    """A person asked for another attempt, or a retry is due: read it though its content is the same."""
    known_run: str | None = None
    """The run in which one that is `forced` was last processed. Ids of later runs are higher."""


class TrackedFiles(Protocol):
    """How the files stand that were processed so far."""

    def known(self, source: str, wanted: frozenset[str] | None, version: str) -> bytes:
        """All of them, or those of the paths that are wanted, as `daemon.pipelines.ingest.known` packs them.

        `version` is that of the configuration: what failed under another one is due.
        """
        ...

    def paths(self, source: str) -> Sequence[str]:
        """The paths of all of them."""
        ...

    def statuses(self, source: str, paths: Sequence[str]) -> Mapping[str, FileStatus]:
        """How those of `paths` stand that are tracked."""
        ...
