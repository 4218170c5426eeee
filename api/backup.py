"""The store itself, as a file to keep."""

from __future__ import annotations

from litestar.di import NamedDependency
from litestar.response import Stream

from api.description import Content
from api.routes import reads
from api.streaming import stream
from daemon.clock import Clock
from daemon.store.backup import Backups


@reads(
    "/api/export/store.duckdb",
    role="admin",
    summary="A backup of the store",
    operation_id="exportStore",
    content=Content(
        bytes,
        "A DuckDB database with all that was acknowledged when the answer began. Of accounts it holds "
        "secrets, encrypted; the key is not in it.",
        "application/vnd.duckdb",
    ),
)
def export_store(clock: NamedDependency[Clock], backups: NamedDependency[Backups]) -> Stream:
    """The store as it is now, copied between two batches while everything goes on, and streamed."""
    name = f"triaged-{clock.now():%Y%m%dT%H%M%SZ}.duckdb"
    return stream(backups.chunks(), "application/vnd.duckdb", name)
