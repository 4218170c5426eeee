"""How long Prometheus takes to evaluate the shipped rules over a daemon of a thousand sources."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figures import Bench, Figure, limited, median, reported
from tests.support.product import Product, wait_for
from tests.support.prometheus import Prometheus

SOURCES = 1000
EVALUATIONS = 10
REACH_MILLISECONDS = {100: 1000, SOURCES: 7500}
"""By how many sources fail: a fifteenth and a half of the interval of the shipped configuration."""
NOBODY = "127.0.0.1:9"
"""Where an Alertmanager would listen."""

CONFIGURATION = """
[pipelines.work]
run = "jobs:work"
every = "20s"
concurrency = 8
"""
JOBS = """
def work(run):
    number = int(run.source.rpartition("-")[2])
    if number < {failing}:
        raise RuntimeError("[AUTHENTICATIONFAILED] Invalid credentials")
    run.succeed("all")
"""
_DURATION = re.compile(r"^prometheus_rule_group_last_duration_seconds\{.*\} (\S+)$", re.MULTILINE)


def measure(bench: Bench) -> Iterator[Figure]:
    """Milliseconds of all groups together, as Prometheus says itself, at 1 s scrape and evaluation."""
    if shutil.which("prometheus") is None:
        raise RuntimeError("not installed: prometheus")
    for failing, most in REACH_MILLISECONDS.items():
        durations, alerts = _evaluate(bench, failing)
        name = f"evaluation of all rules, {failing:,} of {SOURCES:,} sources fail"
        yield limited(f"{name}, median", median(durations), "ms", most)
        yield reported("  worst", max(durations), "ms")
        yield reported("  alerts that fire meanwhile", alerts, "")


def _evaluate(bench: Bench, failing: int) -> tuple[list[float], int]:
    """Milliseconds of each evaluation, and how many alerts fire in the end."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        product, prometheus = Product(Path(name)), Prometheus(Path(name) / "prometheus")
        (product.folder / "jobs.py").write_text(JOBS.format(failing=failing))
        sources = (f"[pipelines.work.sources.job-{n:04d}]\n" for n in range(SOURCES))
        product.configure(CONFIGURATION + "".join(sources))
        try:
            product.start()
            prometheus.start(f"127.0.0.1:{product.port}", NOBODY, links={})
            bench.say(f"waiting for {failing:,} alerts")
            fires = 'ALERTS{alertname="TriagedAuthenticationFailing", alertstate="firing"}'
            wait_for(lambda: len(prometheus.query(fires)) == failing, patience=120)
            durations = _durations(prometheus, EVALUATIONS // (2 if bench.quick else 1), bench)
            return durations, len(prometheus.query('ALERTS{alertstate="firing"}'))
        finally:
            prometheus.stop()
            product.kill()
            product.http.close()


def _durations(prometheus: Prometheus, count: int, bench: Bench) -> list[float]:
    """Milliseconds of so many evaluations, each of all groups."""
    seen: dict[str, float] = {}
    while len(seen) < count:
        bench.say(f"evaluation {len(seen) + 1} of {count}")
        evaluated = wait_for(lambda: _new(prometheus, seen))
        assert evaluated is not None
        text = prometheus.http.get("/metrics").text
        seen[evaluated] = 1000 * sum(map(float, _DURATION.findall(text)))
    return list(seen.values())


def _new(prometheus: Prometheus, seen: dict[str, float]) -> str | None:
    """When the rules were evaluated last, if that is not among those seen."""
    latest = prometheus.rules()[-1]["lastEvaluation"]
    return None if latest in seen else latest
