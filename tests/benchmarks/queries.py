"""How long a page of failures and the total take, with one and with ten million failures stored."""

from __future__ import annotations

import time
from collections.abc import Iterator

from daemon.store.database import Database
from daemon.store.failures import answer
from daemon.store.filters import FailureFilter
from tests.benchmarks.figures import Bench, Figure, compared, limited, median, percentile, reported
from tests.benchmarks.generator import cached_store
from tests.benchmarks.mix import Mix, Question
from tests.benchmarks.parts import MEMORY_LIMIT

ROUNDS = 60
PAGE = 100
REACH_MILLISECONDS = 20
MILLION = 1_000_000


def measure(bench: Bench) -> Iterator[Figure]:
    """Milliseconds of a page of 100 with the total of all that match, as the API answers."""
    small = _times(bench, bench.size(MILLION))
    yield reported("failure query, 1M stored, median", median(small), "ms")
    yield limited(
        "failure query, 1M stored, p99", percentile(small, 0.99), "ms", REACH_MILLISECONDS
    )
    if bench.full:
        large = _times(bench, 10 * MILLION)
        yield reported("failure query, 10M stored, median", median(large), "ms")
        peer = ("1M stored", percentile(small, 0.99))
        yield compared(
            "failure query, 10M stored, p99", percentile(large, 0.99), "ms", peer, most=2
        )
    yield reported("search for a text, 1M stored", _search(bench), "ms")


def _times(bench: Bench, failures: int) -> list[float]:
    bench.say(f"making {failures:,} failures")
    database = Database(cached_store(bench.folder, failures), memory_limit=MEMORY_LIMIT)
    try:
        questions = Mix(database.read()).questions(ROUNDS // (10 if bench.quick else 1))
        for question in questions[:26]:
            _ask(database, question)
        bench.say(f"{len(questions)} queries over {failures:,} failures")
        return [_ask(database, question) for question in questions]
    finally:
        database.close()


def _ask(database: Database, question: Question) -> float:
    """Milliseconds that the answer takes."""
    chosen = FailureFilter(**{k: v for k, v in question.items() if k != "cursor"})
    begun = time.perf_counter()
    answer(database, chosen, PAGE, question.get("cursor"))
    return (time.perf_counter() - begun) * 1000


def _search(bench: Bench) -> float:
    """Milliseconds of a text that no failure holds, so that every message is looked at."""
    path = cached_store(bench.folder, bench.size(MILLION))
    database = Database(path, memory_limit=MEMORY_LIMIT)
    try:
        return median([_ask(database, {"q": "no such text"}) for _ in range(3)])
    finally:
        database.close()
