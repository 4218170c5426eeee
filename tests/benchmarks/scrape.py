"""What a scrape of a thousand sources costs, beside the Prometheus client, and what it does to the API."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

from msgspec.structs import replace
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import choose_encoder

from daemon.clock import SystemClock
from daemon.live import Live
from daemon.metrics import Clocks, Measured, Metrics
from daemon.pipelines.catalog import Catalog, Registered, Source
from daemon.pipelines.own.config import OwnConfig
from daemon.standing import SourceStanding
from daemon.taxonomy import Category
from tests.benchmarks.figures import Bench, Figure, compared, median, percentile, seconds
from tests.benchmarks.server import Served, served

SOURCES = 1000
REPETITIONS = 15
FORMATS = {"text": "text/plain", "OpenMetrics": "application/openmetrics-text; version=1.0.0"}


def measure(bench: Bench) -> Iterator[Figure]:
    """Milliseconds of the exposition, and of an API query while nobody or somebody scrapes."""
    metrics = _metrics()
    for name, accept in FORMATS.items():
        bench.say(name)
        series = _series(metrics, accept)
        encode, _ = choose_encoder(accept)
        registry = _same_number(series)
        ours = _milliseconds(partial(metrics.exposition, accept))
        peer = _milliseconds(partial(encode, registry))
        beside = (f"prometheus_client, {series:,} series", peer)
        yield compared(f"scrape of {SOURCES:,} sources, {name}", ours, "ms", beside, most=1)
    bench.say("API while scraped")
    with served(bench.folder, bench.size(1_000_000), SOURCES) as daemon:
        _api(daemon, 50)
        quiet = _api(daemon, 300)
        with _Scraping(daemon):
            busy = _api(daemon, 300)
    yield compared(
        "  API p99 while scraped every second",
        percentile(busy, 0.99),
        "ms",
        ("not scraped", percentile(quiet, 0.99)),
        most=1.5,
    )


def _metrics() -> Metrics:
    """All metrics of a daemon whose sources have each failed once and succeeded once."""
    names = [f"account-{number:04d}" for number in range(SOURCES)]
    sources = {name: Source(name, True, {}) for name in names}
    own = Registered("mail", lambda run: None, OwnConfig(run="jobs:mail"), sources)
    live = Live()
    metrics = Metrics("1.0.0", Catalog({"mail": own}), live, SOURCES)
    now = SystemClock().now()
    standing = SourceStanding(
        pipeline="mail",
        source="",
        failing=True,
        open_failures=1,
        categories={Category.CONNECTION: 1},
        failing_since=now,
        runs_failing_since=now,
        pending_since={Category.CONNECTION: now},
        last_success=now,
        last_worked=now,
        consecutive_failures=1,
    )
    metrics.measure(
        Measured(
            open_failures=lambda: {("mail", "connection", True): SOURCES},
            standing=lambda _, name: replace(standing, source=name),
            failed_sources=list,
            cycle_sources=dict,
            retries_pending=dict,
            work_queued=dict,
            queue_events=lambda: 0,
            store_errors=lambda: 0,
            store_bytes=lambda: 0,
            store_free_bytes=lambda: 0,
            is_paused=lambda _: False,
            next_cycles=dict,
            clocks=lambda: Clocks(0.0, 0, False),
        )
    )
    return metrics


def _series(metrics: Metrics, accept: str) -> int:
    lines = metrics.exposition(accept)[0].splitlines()
    return sum(not line.startswith(b"#") for line in lines)


def _same_number(series: int) -> CollectorRegistry:
    """A registry of the client's own gauges with as many series, seven for each source."""
    registry = CollectorRegistry()
    gauges = [
        Gauge(f"source_{name}", "As many series.", ["pipeline", "source"], registry=registry)
        for name in (
            *("open", "failing", "open_since", "failing_since"),
            *("last_success", "last_worked", "consecutive_failures"),
        )
    ]
    for number in range(series):
        gauges[number % 7].labels("mail", f"account-{number // 7:04d}").set(number)
    return registry


def _milliseconds(action: Callable[[], object]) -> float:
    action()
    return median([seconds(action) * 1000 for _ in range(REPETITIONS)])


class _Scraping:
    """Scrapes once a second in a thread of its own."""

    def __init__(self, daemon: Served) -> None:
        self._daemon = daemon
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._scrape)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _scrape(self) -> None:
        headers = {"Accept": FORMATS["OpenMetrics"], "Accept-Encoding": "gzip"}
        while not self._stop.wait(1):
            assert self._daemon.http.get("/metrics", headers=headers).status_code == 200


def _api(daemon: Served, count: int) -> list[float]:
    """Milliseconds of so many queries, one after the other, fifty a second at most."""
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        answer = daemon.http.get("/api/processing/failures", params={"limit": 100})
        taken.append((time.perf_counter() - begun) * 1000)
        assert answer.status_code == 200
    return taken
