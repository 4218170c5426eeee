"""How long the queries of a dashboard take, over a day, a week and a quarter of a million failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import product

from daemon.store.database import Database
from daemon.store.failures import Failures
from daemon.store.filters import FailureFilter
from daemon.store.reading import Need
from daemon.store.report_annotations import marks
from daemon.store.report_conditions import Comparison, Condition, Dimension
from daemon.store.report_grid import DAY, Grid
from daemon.store.report_series import failure_series, run_series
from daemon.store.report_tables import latest_runs
from daemon.store.runs import RunFilter
from tests.benchmarks.figures import Bench, Figure, limited, median, percentile, reported
from tests.benchmarks.generator import NEWEST, cached_store
from tests.benchmarks.parts import MEMORY_LIMIT

MILLION = 1_000_000
ROUNDS = 12
POINTS = 300
SERIES = 20
REACH_MILLISECONDS = 250
"""A panel that answers within a quarter of a second is no wait."""

RANGES = {"a day": 1, "a week": 7, "a quarter": 90}
BY = (
    (),
    (Dimension.CATEGORY,),
    (Dimension.PIPELINE, Dimension.SOURCE),
    (Dimension.FAILURE_GROUP,),
    (Dimension.RULE, Dimension.STEP),
    (Dimension.ERROR_GROUP, Dimension.RETRYABLE, Dimension.STATUS),
)
CONDITIONS = (
    (),
    (Condition(Dimension.SOURCE, Comparison.MATCHES, ("(job|folder)-0[1-5]",)),),
    (Condition(Dimension.CATEGORY, Comparison.NOT_IN, ("unknown", "resource")),),
)


def measure(bench: Bench) -> Iterator[Figure]:
    """Milliseconds of the store's part of a report; what makes JSON of it comes on top."""
    failures = bench.size(MILLION)
    bench.say(f"making {failures:,} failures")
    database = Database(cached_store(bench.folder, failures), memory_limit=MEMORY_LIMIT)
    rounds = ROUNDS // (6 if bench.quick else 1)
    try:
        for name, days in RANGES.items():
            bench.say(f"series over {name}")
            yield from _series(database, name, days, rounds)
        bench.say("tables")
        yield from _others(database, rounds)
    finally:
        database.close()


def _series(database: Database, name: str, days: int, rounds: int) -> Iterator[Figure]:
    times = [
        _milliseconds(partial(_count, database, number, days, list(by), conditions))
        for number, by, conditions in product(range(rounds), BY, CONDITIONS)
    ]
    yield reported(f"series of failures over {name}, median", median(times), "ms")
    p99 = percentile(times, 0.99)
    yield limited(f"series of failures over {name}, p99", p99, "ms", REACH_MILLISECONDS)


def _count(
    database: Database,
    number: int,
    days: int,
    by: list[Dimension],
    conditions: tuple[Condition, ...],
) -> None:
    """Series of a range that no other round has; over months in days, as a dashboard asks."""
    until = NEWEST - timedelta(minutes=7 * number)
    since = until - timedelta(days=days)
    grid = Grid.choose(since, until, POINTS, DAY if days > 31 else timedelta(0))
    f = FailureFilter(since=since, until=until, conditions=conditions)
    with database.read(Need.REPORT) as reader:
        failure_series(reader, f, by, grid, SERIES)


def _others(database: Database, rounds: int) -> Iterator[Figure]:
    since = NEWEST - timedelta(days=90)
    runs = RunFilter(since=since, until=NEWEST)
    grid = Grid.choose(since, NEWEST, POINTS)
    hourly = Grid.over(since, NEWEST, timedelta(hours=1))
    everything = FailureFilter(since=since, until=NEWEST)
    asked: dict[str, Callable[[], object]] = {
        "series of failures over a quarter by the hour": lambda: failure_series(
            database.read(Need.REPORT), everything, [Dimension.CATEGORY], hourly, SERIES
        ),
        "series of runs over a quarter": lambda: run_series(
            database.read(Need.REPORT), runs, [Dimension.PIPELINE, Dimension.STATUS], grid, SERIES
        ),
        "latest runs of sources": lambda: latest_runs(database.read()),
        "marks over a quarter": lambda: marks(database.read(), since, NEWEST, 100),
        "100 failures at offset 500,000": lambda: Failures(database.read()).answer_at(
            FailureFilter(), 100, 500_000
        ),
    }
    for name, question in asked.items():
        times = [_milliseconds(question) for _ in range(rounds)]
        yield reported(f"{name}, median", median(times), "ms")


def _milliseconds(question: Callable[[], object]) -> float:
    begun = time.perf_counter()
    question()
    return (time.perf_counter() - begun) * 1000
