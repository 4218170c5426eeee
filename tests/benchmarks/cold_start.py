"""How long it takes in a fresh process until the first error is understood."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

from tests.benchmarks.child import call
from tests.benchmarks.figures import Bench, Figure, limited, median, reported

REPETITIONS = 7
REACH_MILLISECONDS = 150


def measure(bench: Bench) -> Iterator[Figure]:
    """Milliseconds: of the engine, and of importing what it is made of."""
    found = []
    for number in range(REPETITIONS):
        bench.say(f"process {number + 1} of {REPETITIONS}")
        found.append(call(__name__, "start"))
    imports, loads, firsts = ([float(v) for v in values] for values in zip(*found, strict=True))
    engine = [load + first for load, first in zip(loads, firsts, strict=True)]
    yield limited("cold start: rules and first answer", median(engine), "ms", REACH_MILLISECONDS)
    yield reported("of that, the first answer", median(firsts), "ms")
    yield reported("imports before that", median(imports), "ms")


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
