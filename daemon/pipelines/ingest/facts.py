"""What the ledger of files takes: versions of files, and what people decide about them."""

from __future__ import annotations

from daemon.events import Facts, Rows
from daemon.taxonomy import FileStatus


class FileFacts(Facts, frozen=True, kw_only=True, tag="file"):
    """The version of a file that was processed and what came of it."""

    path: str
    """Relative to the ingestion's folder, with forward slashes."""
    size: int
    """Bytes."""
    mtime_ns: int
    content_hash: str
    """BLAKE2b of the bytes, 32 hex digits; empty when the file could not be read."""
    rows_loaded: int = 0
    rows_rejected: int = 0
    rejects: str | None = None
    """Name of the file below the rejects folder that holds the rejected rows."""
    repeated: bool = False
    """Whether these rows were stored and counted before: the file was only touched."""
    arrived: bool = False
    """Whether no run had seen this version before."""

    def rows(self) -> Rows | None:
        return None if self.repeated else Rows(self.rows_loaded, self.rows_rejected)


class FilesMarked(Facts, frozen=True, kw_only=True, tag="files_marked"):
    """A person decided about tracked files: retry, quarantine, ignore, or release.

    `status` is the file status they take. With RETRYING the next cycle reads them whether or not
    they changed.
    """

    pipeline: str
    source: str
    paths: tuple[str, ...]
    status: FileStatus
