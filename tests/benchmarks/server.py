"""A real `triaged serve` in a process of its own, over a generated store."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.benchmarks.generator import cached_store
from tests.benchmarks.machine import Peak
from tests.support.product import Product, wait_for

# Generated failures end at a fixed day and must not expire before they are counted.
CONFIG = """
[store]
path = "store.duckdb"
retention = "36500d"
[log]
level = "warning"
[pipelines.nightly]
run = "jobs:idle"
"""


class Served(NamedTuple):
    """A daemon that answers."""

    process: int
    http: httpx.Client
    peak: Peak
    """Of its memory, from its first moment on."""


@contextlib.contextmanager
def served(folder: Path, failures: int, sources: int = 1) -> Iterator[Served]:
    """A daemon with so many failures in its store and so many sources of one pipeline."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        home = Path(name)
        shutil.copy(cached_store(folder, failures), home / "store.duckdb")
        (home / "jobs.py").write_text("def idle(run):\n    run.skip()\n")
        product = Product(home)
        names = (f"[pipelines.nightly.sources.job-{n:04d}]\n" for n in range(sources))
        product.configure(CONFIG + "".join(names), "requests_per_minute = 10_000_000\n")
        try:
            process = product.launch().pid
            with Peak(process) as peak:
                wait_for(product.answers)
                yield Served(process, product.http, peak)
            product.stop()
        finally:
            product.kill()
            product.http.close()
