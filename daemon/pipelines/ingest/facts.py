"""What the ingest pipeline says of a file, for the ledger of files."""

from __future__ import annotations

from daemon.events import Facts, Rows


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

    def rows(self) -> Rows | None:
        return None if self.repeated else Rows(self.rows_loaded, self.rows_rejected)
