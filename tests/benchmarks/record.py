"""How fast failures are recorded durably, beside DuckDB's own ways to insert the same rows."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from daemon.live import Live
from daemon.metrics import Metrics
from daemon.pipelines.catalog import Catalog, Registered, Source
from daemon.pipelines.own.config import OwnConfig
from daemon.store.entries import Committed, Entry
from daemon.store.migrate import migrate
from tests.benchmarks.figures import Bench, Figure, compared, median, reported, seconds
from tests.benchmarks.messages import messages, unlike_messages
from tests.benchmarks.parts import Parts, recording

REPETITIONS = 3
FEW = 500
"""Rows of the slowest peer."""

Rows = list[tuple[Any, ...]]


def measure(bench: Bench) -> Iterator[Figure]:
    """Failures a second from `run.fail` till all are on disk, through triage, tally and groups."""
    count = bench.size(100_000)
    whole, writer_alone, unnest, native, many = [], [], [], [], []
    counting = []
    for number in range(REPETITIONS):
        bench.say(f"repetition {number + 1} of {REPETITIONS}")
        rows, types, entries, taken = _record(bench.folder, list(messages(count)))
        whole.append(count / taken)
        writer_alone.append(count / _write(bench.folder, entries))
        counting.append(_count(entries) / count * 1e6)
        unnest.append(
            count / _insert(bench.folder, types, lambda c, t=types, r=rows: _unnest(c, t, r))
        )
        native.append(count / _native(bench.folder, types, rows))
        few = rows[:FEW]
        many.append(FEW / _insert(bench.folder, types, lambda c, r=few: _executemany(c, r)))
    peer = ("bulk insert of lists", median(unnest))
    yield compared("record failures", median(whole), "failures/s", peer, least=1 / 3)
    yield compared("  the writer alone", median(writer_alone), "failures/s", peer)
    unlike = list(unlike_messages(count // 5))
    *_, taken = _record(bench.folder, unlike)
    yield compared("  no two messages alike", len(unlike) / taken, "failures/s", peer)
    native_peer = ("INSERT … SELECT of a table", median(native))
    yield compared("  beside DuckDB itself", median(whole), "failures/s", native_peer)
    yield reported("  executemany", median(many), "rows/s")
    yield reported("  counting a failure in metrics, processor time", median(counting), "µs")


def _record(folder: Path, texts: list[str]) -> tuple[Rows, list[str], list[Entry], float]:
    """Records through the whole way; returns also the rows that came of it and the entries."""
    entries: list[Entry] = []
    with recording(folder) as parts:
        parts.recorder.subscribe(lambda committed: entries.extend(committed.entries))
        run = parts.begin()

        def record() -> None:
            for number, text in enumerate(texts):
                run.fail(f"item-{number}", text if number % 2 else ValueError(text))
            assert parts.writer.flush(120), parts.writer.trouble

        taken = seconds(record)
        found = parts.database.read().rows("SELECT * FROM failures ORDER BY id")
        columns = parts.database.read().rows("DESCRIBE failures")
    assert len(found) == len(texts)
    return found, [column[1] for column in columns], entries, taken


def _write(folder: Path, entries: list[Entry]) -> float:
    """The same entries, triaged already, through the writer alone."""

    def put(parts: Parts) -> None:
        for entry in entries:
            parts.writer.put(entry)
        assert parts.writer.flush(120), parts.writer.trouble

    with recording(folder) as parts:
        return seconds(lambda: put(parts))


def _count(entries: list[Entry]) -> float:
    """Processor seconds that the metrics take to count what was recorded, in commits of a thousand."""
    own = Registered(
        "mail",
        lambda run: None,
        OwnConfig(run="jobs:mail"),
        {"support": Source("support", True, {})},
    )
    metrics = Metrics("1.0.0", Catalog({own.name: own}), Live(), 1)
    begun = time.process_time()
    for first in range(0, len(entries), 1000):
        metrics.count(Committed(entries[first : first + 1000], Counter(), 0.01))
    return time.process_time() - begun


@contextmanager
def _peer(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB as it comes, with a new database on disk that has the same tables."""
    with (
        tempfile.TemporaryDirectory(dir=folder) as name,
        duckdb.connect(str(Path(name) / "peer.duckdb")) as connection,
    ):
        migrate(connection)
        yield connection


def _insert(folder: Path, types: list[str], insert: Any) -> float:
    """Seconds of one transaction that inserts into an empty table of a new database."""
    with _peer(folder) as connection:

        def transaction() -> None:
            connection.execute("BEGIN")
            insert(connection)
            connection.execute("COMMIT")

        return seconds(transaction)


def _unnest(connection: duckdb.DuckDBPyConnection, types: list[str], rows: Rows) -> None:
    lists = [list(column) for column in zip(*rows, strict=True)]
    columns = ", ".join(f"unnest(?::{kind}[])" for kind in types)
    connection.execute(f"INSERT INTO failures SELECT {columns}", lists)


def _executemany(connection: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    marks = ", ".join("?" * len(rows[0]))
    connection.executemany(f"INSERT INTO failures VALUES ({marks})", rows)


def _native(folder: Path, types: list[str], rows: Rows) -> float:
    """DuckDB copying from a table in memory, which no program outside it can reach."""

    def insert(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("INSERT INTO failures SELECT * FROM source")

    with _peer(folder) as connection:
        connection.execute("CREATE TEMP TABLE source AS SELECT * FROM failures")
        lists = [list(column) for column in zip(*rows, strict=True)]
        columns = ", ".join(f"unnest(?::{kind}[])" for kind in types)
        connection.execute(f"INSERT INTO source SELECT {columns}", lists)

        def transaction() -> None:
            connection.execute("BEGIN")
            insert(connection)
            connection.execute("COMMIT")

        return seconds(transaction)
