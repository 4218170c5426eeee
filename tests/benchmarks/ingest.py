"""How fast files load, beside DuckDB's own reading of them, and what a cycle costs that finds nothing new."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import duckdb

from tests.benchmarks.child import ROOT
from tests.benchmarks.figures import Bench, Figure, compared, limited, reported
from tests.benchmarks.machine import Peak

CONFIG = """
[log]
level = "error"
[pipelines.ingest.sources.rows]
files = "inbox/*.{suffix}"
table = "rows"
settle = "1ms"
columns = {{ id = "BIGINT", name = "VARCHAR", amount = "DECIMAL(10,2)", seen_at = "TIMESTAMP" }}
"""
ROWS = "SELECT i AS id, 'customer ' || i % 1000 AS name, {amount} AS amount, {seen} AS seen_at FROM range({rows}) AS t(i)"
SEEN = "TIMESTAMP '2026-01-01' + to_seconds(i)"
ONE_IN_A_HUNDRED_BAD = "CASE WHEN i % 100 = 7 THEN 'n/a' ELSE (i % 10000 / 100.0)::VARCHAR END"
GOOD = "(i % 10000 / 100.0)::DECIMAL(10,2)"
TYPES = "{'id': 'BIGINT', 'name': 'VARCHAR', 'amount': 'DECIMAL(10,2)', 'seen_at': 'TIMESTAMP'}"


class Cost(NamedTuple):
    """What a command took."""

    seconds: float
    peak_megabytes: float
    """Of its own memory."""


def measure(bench: Bench) -> Iterator[Figure]:
    """Seconds and peak memory of whole commands: `triaged run ingest` and a Python with DuckDB."""
    rows = bench.size(5_000_000)
    yield from _csv(bench, rows)
    yield from _json(bench, bench.size(1_000_000))
    yield from _nothing_new(bench, 100_000 if bench.full else bench.size(10_000))


def _csv(bench: Bench, rows: int) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        home = _home(Path(name), "csv")
        bench.say(f"writing {rows:,} rows")
        _write(
            home / "inbox/rows.csv", ROWS.format(amount=ONE_IN_A_HUNDRED_BAD, seen=SEEN, rows=rows)
        )
        bench.say(f"loading {rows:,} rows")
        ours = _cycle(home)
        peer = _plain(home, f"read_csv('inbox/rows.csv', columns={TYPES}, ignore_errors=true)")
    beside = ("DuckDB with ignore_errors", peer.seconds)
    yield compared(f"ingest of {rows / 1e6:g}M CSV rows, 1 % bad", ours.seconds, "s", beside)
    beside = ("DuckDB", peer.peak_megabytes)
    yield compared("  its peak of memory", ours.peak_megabytes, "MB", beside)


def _json(bench: Bench, rows: int) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        home = _home(Path(name), "jsonl")
        _write(home / "inbox/rows.jsonl", ROWS.format(amount=GOOD, seen=SEEN, rows=rows))
        bench.say(f"loading {rows:,} JSON lines")
        ours = _cycle(home)
        peer = _plain(home, f"read_json('inbox/rows.jsonl', columns={TYPES}, ignore_errors=true)")
    beside = ("DuckDB with ignore_errors", peer.seconds)
    yield compared(f"ingest of {rows / 1e6:g}M JSON lines", ours.seconds, "s", beside)


def _nothing_new(bench: Bench, files: int) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        home = _home(Path(name), "csv")
        bench.say(f"loading {files:,} files")
        for number in range(files):
            line = f"id,name,amount,seen_at\n{number},a,1.00,2026-01-01\n"
            (home / f"inbox/{number:06d}.csv").write_text(line)
        first = _cycle(home)
        again = _cycle(home)
    each = 1000 * (first.seconds - again.seconds) / files
    yield reported(f"first cycle over {files:,} small files", first.seconds, "s")
    yield limited("  each of them", each, "ms", 2.0)
    yield reported(f"cycle with nothing new in {files:,} files", again.seconds, "s")


def _home(home: Path, suffix: str) -> Path:
    (home / "inbox").mkdir()
    (home / "triaged.toml").write_text(CONFIG.format(suffix=suffix))
    return home


def _write(file: Path, select: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO '{file}'")


def _cycle(home: Path) -> Cost:
    """One cycle by command. Bad rows make it exit with 1."""
    config = str(home / "triaged.toml")
    return _cost(
        [sys.executable, "-m", "daemon", "run", "ingest", "--config", config], ROOT, (0, 1)
    )


def _plain(home: Path, source: str) -> Cost:
    code = (
        "import duckdb; c = duckdb.connect('plain.duckdb'); "
        f'c.execute("CREATE TABLE rows AS SELECT * FROM {source}"); c.close()'
    )
    return _cost([sys.executable, "-c", code], home, (0,))


def _cost(command: list[str], folder: Path, good: tuple[int, ...]) -> Cost:
    """Runs a command that may exit so."""
    begun = time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        with Peak(process.pid) as peak:
            complaint = process.stderr.read().decode(errors="replace")
    assert process.returncode in good, complaint[-2000:]
    return Cost(time.perf_counter() - begun, peak.own)
