"""What the ingest tests share: a run that records, an index in memory, and an ingestion to try."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from daemon.clock import SystemClock
from daemon.config.values import Duration
from daemon.events import Facts
from daemon.pipelines.ingest.config import IngestConfig, IngestSource
from daemon.pipelines.ingest.facts import FileFacts
from daemon.pipelines.ingest.known import KnownFile, key_of, pack
from daemon.pipelines.ingest.pipeline import IngestPipeline
from daemon.pipelines.ingest.rejected_rows import Filter, RejectedRows, StoredRejection
from daemon.pipelines.ingest.rejects import Rejects
from daemon.taxonomy import FileStatus, RunState

ORDERS = {"order_id": "BIGINT", "email": "VARCHAR", "amount": "DECIMAL(10,2)"}


class Failed(msgspec.Struct):
    """One call of `run.fail`."""

    item: str | None
    error: BaseException | str
    in_part: bool
    row_count: int | None
    sample_rows: tuple[int, ...]
    column: str | None
    facts: FileFacts | None
    error_class: str | None

    @property
    def message(self) -> str:
        return str(self.error)


class RecordingRun:
    """A run handle that remembers what a pipeline told it and teaches the index."""

    def __init__(self, source: str, index: MemoryIndex, run_id: str = "run-1") -> None:
        self.run_id = run_id
        self.source = source
        self.options: Mapping[str, Any] = {}
        self.wanted: frozenset[str] | None = None
        self.known = index.known(source)
        self.cancelled = False
        self.cancel_after: int | None = None
        self.index = index
        self.steps: list[tuple[str, str]] = []
        self.seen: list[tuple[int, int | None]] = []
        self.succeeded: dict[str, FileFacts | None] = {}
        self.failures: list[Failed] = []
        self.skipped: list[str | int] = []

    def step(self, state: RunState | str, text: str = "") -> None:
        self.steps.append((str(state), text))
        if self.cancel_after is not None and len(self.steps) > self.cancel_after:
            self.cancelled = True

    def progress(self, current: int, total: int | None = None) -> None:
        self.seen.append((current, total))

    def succeed(self, item: str, *, facts: Facts | None = None) -> None:
        assert facts is None or isinstance(facts, FileFacts)
        self.succeeded[item] = facts
        self.index.closed.discard(item)
        self.index.learn(self.source, facts, FileStatus.SUCCESS)

    def fail(
        self,
        item: str | None,
        error: BaseException | str,
        *,
        in_part: bool = False,
        row_count: int | None = None,
        sample_rows: tuple[int, ...] = (),
        column: str | None = None,
        facts: Facts | None = None,
        **fields: Any,
    ) -> None:
        assert facts is None or isinstance(facts, FileFacts)
        if item is not None and item.endswith("/"):
            self.index.closed.add(item)
        error_class = fields.get("error_class") or getattr(error, "error_class", None)
        self.failures.append(
            Failed(item, error, in_part, row_count, sample_rows, column, facts, error_class)
        )
        self.index.learn(self.source, facts, FileStatus.PARTIAL if in_part else FileStatus.FAILED)

    def skip(self, item: str | None = None, *, count: int = 1) -> None:
        self.skipped.append(item if item is not None else count)

    @property
    def causes(self) -> list[tuple[str | None, str | None, str | None, int | None]]:
        """Item, class, column and rows of each failure."""
        return [(f.item, f.error_class, f.column, f.row_count) for f in self.failures]


class MemoryIndex:
    """A record of files that lives as long as a test."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[FileFacts, FileStatus]] = {}
        self.forced: set[str] = set()
        self.closed: set[str] = set()
        self.latest_run = "run-9"
        self.newest: datetime | None = None

    def learn(self, source: str, file: FileFacts | None, status: FileStatus) -> None:
        if file is not None:
            self._known[source, file.path] = (file, status)

    def forget(self) -> None:
        """As after a crash before anything was stored."""
        self._known.clear()

    def known(self, source: str) -> bytes:
        """What a run of the source is told."""
        found = [self._file(*of) for (name, _), of in self._known.items() if name == source]
        return pack(sorted(found), self.closed, self.newest)

    def _file(self, facts: FileFacts, status: FileStatus) -> KnownFile:
        return KnownFile(
            key_of(facts.path),
            facts.size,
            facts.mtime_ns,
            facts.content_hash,
            status,
            facts.rows_loaded,
            facts.path in self.forced,
            self.latest_run,
        )


class Ingestion:
    """One ingestion in a folder of its own."""

    def __init__(self, base: Path, **source: Any) -> None:
        self.base = base
        self.inbox = base / "inbox"
        self.inbox.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {
            "files": "inbox/*",
            "table": "orders",
            "columns": ORDERS,
            "settle": Duration(2),
        }
        self.config = IngestConfig(
            database="warehouse.duckdb",
            sources={"orders": IngestSource(**settings | source)},
        )
        self.index = MemoryIndex()
        self.rejects = Rejects(base / "rejects")
        self.pipeline = self.restarted()
        self._runs = 0

    def restarted(self) -> IngestPipeline:
        """A new pipeline over the same files, as after a restart."""
        self.pipeline = IngestPipeline(self.config, self.base, self.base / "rejects", SystemClock())
        return self.pipeline

    def put(self, name: str, content: str | bytes, age: float = 60) -> Path:
        """A file in the inbox, last changed `age` seconds ago."""
        place = self.inbox / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        changed = SystemClock().now().timestamp() - age
        os.utime(place, (changed, changed))
        return place

    def configure(self, **sources: Mapping[str, Any]) -> None:
        """A restart with these ingestions, each with what differs from the one that there was."""
        before = self.config.sources["orders"]
        self.config = msgspec.structs.replace(
            self.config,
            sources={n: msgspec.structs.replace(before, **s) for n, s in sources.items()},
        )
        self.restarted()

    def handle(self, source: str = "orders") -> RecordingRun:
        self._runs += 1
        return RecordingRun(source, self.index, f"run-{self._runs}")

    def run(self, source: str = "orders") -> RecordingRun:
        """Runs the pipeline once."""
        run = self.handle(source)
        self.pipeline(run)
        return run

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Looks into the warehouse."""
        with duckdb.connect(str(self.base / "warehouse.duckdb")) as connection:
            return connection.execute(statement).fetchall()

    def rows(self, table: str = "orders") -> list[tuple[Any, ...]]:
        """The table's rows without `_file_id`, sorted; none where no row has made a table yet."""
        if not self.query(f"FROM duckdb_tables() WHERE table_name = '{table}'"):
            return []
        return self.query(f"SELECT * EXCLUDE (_file_id) FROM {table} ORDER BY ALL")

    def rejected(self, wanted: Filter | None = None) -> list[StoredRejection]:
        """All rejected rows."""
        reader = RejectedRows(self.rejects)
        try:
            return reader.page("orders", wanted or Filter(), limit=100_000).rows
        finally:
            reader.close()
