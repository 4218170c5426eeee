"""How fast all failures are exported as CSV, beside DuckDB's own COPY, and in how much memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from daemon.store.database import Database
from daemon.store.export import exported, failures_csv
from daemon.store.filters import FailureFilter
from tests.benchmarks import child
from tests.benchmarks.figures import Bench, Figure, compared, limited, median, seconds
from tests.benchmarks.generator import cached_store
from tests.benchmarks.machine import Peak, memory
from tests.benchmarks.parts import MEMORY_LIMIT

REPETITIONS = 3


def measure(bench: Bench) -> Iterator[Figure]:
    """Seconds for all failures; each export and each COPY in a fresh process."""
    store = cached_store(bench.folder, bench.size(1_000_000))
    tenth = cached_store(bench.folder, bench.size(100_000))
    ours, firsts, growths, peers = [], [], [], []
    for number in range(REPETITIONS):
        bench.say(f"repetition {number + 1} of {REPETITIONS}")
        taken, first, growth = child.call(__name__, "export", str(store))
        ours.append(taken)
        firsts.append(first * 1000)
        growths.append(growth)
        peers.append(child.call(__name__, "copy", str(store)))
    _, _, small_growth = child.call(__name__, "export", str(tenth))
    peer = ("COPY … TO a file", median(peers))
    yield compared("CSV export of 1M failures", median(ours), "s", peer, most=1.5)
    yield limited("  its first byte", median(firsts), "ms", 100)
    same = ("with a tenth of the failures", small_growth)
    yield compared("  growth of memory while it runs", median(growths), "MB", same, most=1.5)


def export(store: str) -> tuple[float, float, float]:
    """Seconds to the end and to the first byte, and by how many MB the process's own memory grew."""
    database = Database(Path(store), memory_limit=MEMORY_LIMIT)
    database.read().rows("SELECT 1")
    before = memory().own
    with Peak() as peak:
        begun = time.perf_counter()
        chunks = failures_csv(database, FailureFilter())
        size = len(next(chunks))
        first = time.perf_counter() - begun
        size += sum(map(len, chunks))
        taken = time.perf_counter() - begun
    database.close()
    assert size > 0
    return taken, first, peak.own - before


def copy(store: str) -> float:
    """Seconds of a plain COPY of the same columns to a file."""
    columns = exported(failure_group="failure_group")
    file = Path(store).with_suffix(".csv")
    with duckdb.connect(store, read_only=True) as connection:
        taken = seconds(
            lambda: connection.execute(
                f"COPY (SELECT {columns} FROM failures) TO '{file}' (FORMAT csv)"
            )
        )
    file.unlink()
    return taken
