"""How much memory a daemon takes with a million failures stored, while it is used."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from daemon.store.database import Database
from tests.benchmarks.figures import Bench, Figure, limited
from tests.benchmarks.generator import NEWEST, cached_store
from tests.benchmarks.machine import memory
from tests.benchmarks.mix import Mix, Question
from tests.benchmarks.parts import MEMORY_LIMIT
from tests.benchmarks.server import Served, served

REACH_MEGABYTES = 80
QUERIES = 1000


def measure(bench: Bench) -> Iterator[Figure]:
    """MB that are the process's own, from its start on, while it is asked over HTTP."""
    failures = bench.size(1_000_000)
    questions = _questions(bench, failures)
    with served(bench.folder, failures) as daemon:
        _settle(daemon)
        yield _now("memory after the start", daemon)
        for number, question in enumerate(questions):
            if number % 100 == 0:
                bench.say(f"{number} of {len(questions)} queries")
            _get(daemon, "/api/processing/failures", {"limit": 100, **question})
        yield _now("  after 1,000 mixed queries", daemon)
        for _ in range(10):
            _get(daemon, "/metrics", {})
        yield _now("  after 10 scrapes", daemon)
        for path in ("/api/failures/groups", "/api/failures/trends", "/api/processing/statistics"):
            _get(daemon, path, {})
        yield _now("  after groups, trends, statistics", daemon)
        for path, parameters in _reports():
            _get(daemon, path, parameters)
        yield _now("  after reports over a week and a quarter", daemon)
        with daemon.http.stream("GET", "/api/export/failures.csv") as answer:
            size = sum(map(len, answer.iter_bytes()))
        assert answer.status_code == 200
        assert size > failures * 100
        yield _now("  after an export of all", daemon)
        for question in questions[: len(questions) // 10]:
            _get(daemon, "/api/processing/failures", {"limit": 100, **question})
        yield _now("  after 100 queries more", daemon)
        resident = f"VmRSS {daemon.peak.resident:.0f} MB"
        yield limited("  the most at any moment", daemon.peak.own, "MB", REACH_MEGABYTES, resident)


def _reports() -> Iterator[tuple[str, Question]]:
    """What dashboards ask."""
    for days in (7, 90):
        range_ = {"from": _written(NEWEST - timedelta(days=days)), "to": _written(NEWEST)}
        yield "/api/report/failures", {**range_, "limit": 1000}
        yield "/api/report/runs", {**range_, "limit": 1000}
        yield "/api/report/groups", range_
        for by in ("category", "failure_group"):
            yield "/api/report/failures/series", {**range_, "by": by}
        for path in ("runs/series", "items/series", "annotations"):
            yield f"/api/report/{path}", range_
    yield "/api/report/sources", {}


def _settle(daemon: Served) -> None:
    """Waits till the upkeep that follows a start is over: till memory stays as it is for a second."""
    before = 0.0
    for _ in range(20):
        now = memory(daemon.process).own
        if abs(now - before) < 0.5:
            return
        before = now
        time.sleep(1)


def _questions(bench: Bench, failures: int) -> list[Question]:
    store = Database(
        cached_store(bench.folder, failures), memory_limit=MEMORY_LIMIT, read_only=True
    )
    try:
        mixed = Mix(store.read()).questions(QUERIES // 13 + 1)[: bench.size(QUERIES)]
    finally:
        store.close()
    return [{name: _written(value) for name, value in one.items()} for one in mixed]


def _written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _get(daemon: Served, path: str, parameters: Question) -> None:
    answer = daemon.http.get(path, params=parameters)
    assert answer.status_code == 200, answer.text


def _now(name: str, daemon: Served) -> Figure:
    now = memory(daemon.process)
    return limited(name, now.own, "MB", REACH_MEGABYTES, now.beside)
