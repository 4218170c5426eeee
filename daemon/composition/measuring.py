"""The metrics, told where to look at each scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from daemon.cycles.cycles import Cycles
from daemon.live import Live
from daemon.metrics import Clocks, Measured, Metrics
from daemon.pipelines.catalog import Catalog
from daemon.scheduler import Scheduler
from daemon.standing import Standings
from daemon.store.database import Database
from daemon.store.runs import Runs
from daemon.store.writer import Writer
from daemon.version import VERSION
from daemon.work.queue import WorkQueue

Counting = Callable[[], Mapping[str, int]]
"""What waits for another attempt, by pipeline."""


def make_metrics(
    catalog: Catalog,
    live: Live,
    runs: Runs,
    standings: Standings,
    cycles: Cycles,
    queue: WorkQueue,
    scheduler: Scheduler,
    writer: Writer,
    database: Database,
    waiting: tuple[Counting, ...],
    clocks: Callable[[], Clocks],
    most_sources: int,
) -> Metrics:
    """Metrics that begin where the store says that the last process ended."""
    metrics = Metrics(VERSION, catalog, live, most_sources)
    metrics.seed(runs.last_cycles())
    metrics.measure(
        Measured(
            open_failures=writer.standing.open,
            standing=standings.of,
            failed_sources=writer.standing.sources,
            cycle_sources=lambda: {name: dict(s.counts) for name, s in cycles.sources.items()},
            retries_pending=lambda: dict(sum((Counter(n()) for n in waiting), Counter[str]())),
            work_queued=queue.lengths,
            queue_events=lambda: writer.pending,
            store_errors=lambda: writer.errors,
            store_bytes=database.size,
            store_free_bytes=database.free,
            is_paused=scheduler.is_paused,
            next_cycles=scheduler.next_cycles,
            clocks=clocks,
        )
    )
    return metrics
