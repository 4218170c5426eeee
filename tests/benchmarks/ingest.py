"""How fast files load beside DuckDB alone, in how much memory, and how long a cycle with nothing new takes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from daemon.config import load
from daemon.service import Daemon
from daemon.triage.taxonomy import Trigger
from tests.benchmarks import child
from tests.benchmarks.figures import Bench, Figure, compared, reported, seconds
from tests.benchmarks.machine import peak_rss

ROWS = 5_000_000
SMALL_FILES = 2_000
TRACKED = 100_000
COLUMNS = {
    "order_id": "BIGINT",
    "email": "VARCHAR",
    "amount": "DECIMAL(10,2)",
    "ordered_at": "TIMESTAMP",
}
_DECLARED = ", ".join(f'{name} = "{kind}"' for name, kind in COLUMNS.items())
_CONFIG = f"""
[pipelines.ingest.sources.orders]
files = "inbox/*.csv"
table = "orders"
settle = "1ms"
columns = {{ {_DECLARED} }}
"""


def measure(bench: Bench) -> Iterator[Figure]:
    """Each load in a fresh process."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        folder = Path(name)
        rows = bench.size(ROWS)
        bench.say(f"writing {rows:,} rows, one in a hundred bad")
        write_rows(folder, rows)
        bench.say("loading them")
        ours, peak = child.call(__name__, "ingest", str(folder))
        peer = ("DuckDB alone, ignore_errors", child.call(__name__, "alone", str(folder)))
        yield compared(f"ingest a CSV of {rows:,} rows, 1 % bad", ours, "s", peer)
        yield reported("  peak of memory while it loads", peak, "MB")
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        folder, files = Path(name), bench.size(SMALL_FILES)
        write_files(folder, files)
        bench.say(f"loading {files:,} files of one row")
        taken, _ = child.call(__name__, "ingest", str(folder))
        yield reported("ingest a file of one row", taken / files * 1000, "ms")
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        folder, files = Path(name), bench.size(TRACKED)
        bench.say(f"tracking {files:,} files")
        write_files(folder, files)
        yield reported(
            f"a cycle with nothing new over {files:,} files",
            child.call(__name__, "nothing_new", str(folder)),
            "s",
        )


def write_rows(folder: Path, rows: int) -> None:
    """One file in which every hundredth row is bad."""
    (folder / "inbox").mkdir()
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (SELECT i AS order_id, 'user' || i || '@example.com' AS email,
                    CASE WHEN i % 100 = 7 THEN 'abc' ELSE (i % 10000 / 100.0)::VARCHAR END AS amount,
                    (TIMESTAMP '2026-01-01' + INTERVAL (i) SECOND)::VARCHAR AS ordered_at
                FROM range({rows}) AS r(i)) TO '{folder}/inbox/orders.csv' (HEADER)"""
        )


def write_files(folder: Path, files: int) -> None:
    """Many files of one row."""
    inbox = folder / "inbox"
    inbox.mkdir()
    header = ",".join(COLUMNS)
    for number in range(files):
        row = f"{number},a@example.com,1.00,2026-01-01 00:00:00"
        (inbox / f"{number:06d}.csv").write_text(f"{header}\n{row}\n")


def ingest(folder: str) -> tuple[float, float]:
    """Seconds of a cycle, and the peak of the process's memory in MB."""
    daemon = started(Path(folder))
    taken = seconds(lambda: cycle(daemon))
    daemon.stop(0)
    return taken, peak_rss()


def nothing_new(folder: str) -> float:
    """Seconds of a cycle over files that are all tracked as they are."""
    daemon = started(Path(folder))
    inbox = Path(folder) / "inbox"
    listed = [(file.name, file.stat()) for file in sorted(inbox.iterdir())]
    rows = [(name, status.st_size, status.st_mtime_ns) for name, status in listed]
    with daemon.database.writing() as connection:
        connection.execute(
            "INSERT INTO files BY NAME SELECT 'ingest' AS pipeline, 'orders' AS source, "
            "unnest($1::VARCHAR[]) AS path, unnest($2::BIGINT[]) AS size, "
            "unnest($3::BIGINT[]) AS mtime_ns, '' AS content_hash, 'success' AS status, "
            "0 AS retry_count, '' AS run_id, now()::TIMESTAMP AS last_attempt, 1 AS rows_loaded, "
            "0 AS rows_rejected",
            [list(column) for column in zip(*rows, strict=True)],
        )
    taken = seconds(lambda: cycle(daemon))
    assert daemon.files.badge("orders").success == len(rows)
    daemon.stop(0)
    return taken


def started(folder: Path) -> Daemon:
    """A daemon that records, without API and schedule."""
    file = folder / "triaged.toml"
    file.write_text(_CONFIG)
    daemon = Daemon(load(file))
    daemon.start(schedule=False)
    return daemon


def cycle(daemon: Daemon) -> None:
    """One cycle of the ingestion."""
    pipeline = daemon.catalog.pipeline("ingest")
    daemon.cycles.run(pipeline, pipeline.sources.values(), Trigger.MANUAL)


def alone(folder: str) -> float:
    """Seconds that DuckDB takes for the same file when bad rows are dropped without a word."""
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
    with duckdb.connect(f"{folder}/alone.duckdb", config={"threads": 2}) as connection:
        return seconds(
            lambda: connection.execute(
                f"CREATE TABLE orders AS FROM read_csv('{folder}/inbox/orders.csv', header=true, "
                f"auto_detect=false, columns={{{columns}}}, ignore_errors=true)"
            )
        )
