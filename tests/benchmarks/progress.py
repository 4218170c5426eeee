"""What a progress update costs the pipeline that makes it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.figures import Bench, Figure, limited, median, seconds
from tests.benchmarks.parts import recording

REPETITIONS = 7
REACH_MICROSECONDS = 5


def measure(bench: Bench) -> Iterator[Figure]:
    """Microseconds for each `run.progress`."""
    updates = bench.size(100_000)
    with recording(bench.folder) as parts:
        run = parts.begin()

        def update() -> None:
            for number in range(updates):
                run.progress(number, updates)

        each = [seconds(update) / updates * 1e6 for _ in range(REPETITIONS)]
    yield limited("progress update", median(each), "µs", REACH_MICROSECONDS)
