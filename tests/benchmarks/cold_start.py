"""How long it takes in a fresh process until the first error is understood, and until the daemon answers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tests.benchmarks.child import call
from tests.benchmarks.figures import Bench, Figure, limited, median, reported
from tests.benchmarks.machine import processor_seconds
from tests.support.product import Product

REPETITIONS = 7
REACH_SECONDS = 1.0


def measure(bench: Bench) -> Iterator[Figure]:
    """Milliseconds: of the engine, and of importing what it is made of. Seconds of the daemon."""
    found = []
    for number in range(REPETITIONS):
        bench.say(f"process {number + 1} of {REPETITIONS}")
        found.append(call(__name__, "start"))
    imports, loads, firsts = ([float(v) for v in values] for values in zip(*found, strict=True))
    engine = [load + first for load, first in zip(loads, firsts, strict=True)]
    yield reported("cold start of triage: rules and first answer", median(engine), "ms")
    yield reported("  of that, the first answer", median(firsts), "ms")
    yield reported("  imports before that", median(imports), "ms")
    served = [_serve(bench.folder) for _ in range(REPETITIONS)]
    what = "cold start of the daemon, processor time until it answers"
    yield limited(what, median(served), "s", REACH_SECONDS)


def start() -> tuple[float, float, float]:
    """Milliseconds of the imports, of loading the rules and of the first answer."""
    times = [time.perf_counter()]
    from daemon.triage import Triage, describe

    times.append(time.perf_counter())
    triage = Triage.load()
    times.append(time.perf_counter())
    triage.classify(describe("the frobnicator refused the connection"), "mail")
    times.append(time.perf_counter())
    first, second, third = ((after - before) * 1000 for before, after in pairwise(times))
    return first, second, third


def _serve(folder: Path) -> float:
    """Processor seconds of a daemon with an empty store until it answers."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        product = Product(Path(name))
        product.configure_orders(every="1h")
        try:
            product.start()
            assert product.process is not None
            return processor_seconds(product.process.pid)
        finally:
            product.kill()
            product.http.close()
