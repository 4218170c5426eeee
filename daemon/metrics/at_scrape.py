"""Gauges that are read from the rest of the daemon when somebody scrapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from daemon.errors import StoreError
from daemon.live import Live
from daemon.metrics.source_gauges import SourceGauges
from daemon.metrics.sources import ShownSources, SourceKey, enabled_sources
from daemon.pipelines.catalog import Catalog
from daemon.standing import SourceStanding
from daemon.taxonomy import CATEGORIES


class Clocks(NamedTuple):
    """How the machine's clock does."""

    behind_seconds: float
    """Behind the latest time that it, or the store, has shown."""
    steps: int
    """How often it was set since the start."""
    retention_waits: bool


class Measured(NamedTuple):
    """What is asked of the rest of the daemon at each scrape."""

    open_failures: Callable[[], dict[tuple[str, str, bool], int]]
    """By pipeline, category and whether a retry helps."""
    standing: Callable[[str, str], SourceStanding]
    """By pipeline and source."""
    failed_sources: Callable[[], list[SourceKey]]
    """Those that have had failures, gone ones too."""
    cycle_sources: Callable[[], dict[str, dict[str, int]]]
    """By pipeline and state."""
    retries_pending: Callable[[], dict[str, int]]
    """By pipeline."""
    work_queued: Callable[[], dict[str, int]]
    """By pipeline."""
    queue_events: Callable[[], int]
    store_errors: Callable[[], int]
    store_bytes: Callable[[], int]
    store_free_bytes: Callable[[], int]
    is_paused: Callable[[str], bool]
    """By pipeline."""
    next_cycles: Callable[[], dict[str, float]]
    """When the next cycle is due, in seconds since 1970, by pipeline; without those on demand."""
    clocks: Callable[[], Clocks]


class AtScrape(Collector):
    """Gauges computed when somebody asks, so that none can be stale."""

    def __init__(
        self,
        catalog: Catalog,
        live: Live,
        sources: ShownSources,
        cycles_skipped: Counter[SourceKey],
        measured: Measured,
    ) -> None:
        """`cycles_skipped` are due cycles that began without a source, counted along."""
        self._catalog = catalog
        self._live = live
        self._sources = sources
        self._cycles_skipped = cycles_skipped
        self._measured = measured
        self._pending: dict[str, int] = {}

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._active_runs()
        yield from self._open_failures()
        yield from self._retries_pending()
        yield from self._cycle_sources()
        yield from self._schedules()
        yield from self._source_states()
        yield from self._store()
        yield from self._clocks()

    def _active_runs(self) -> Iterator[Metric]:
        counts = dict.fromkeys(self._catalog.pipelines, 0)
        progress = GaugeMetricFamily(
            "triaged_run_progress_ratio",
            "How far an active run is, from 0 to 1; only while it runs.",
            labels=["pipeline", "source"],
        )
        for run in self._live.active():
            counts[run.pipeline] = counts.get(run.pipeline, 0) + 1
            if run.progress_total and (run.pipeline, run.source) in self._sources:
                ratio = min(1.0, (run.progress_current or 0) / run.progress_total)
                progress.add_metric([run.pipeline, run.source], ratio)
        yield _gauge("triaged_runs_active", "Runs that are under way.", counts)
        queued = self._measured.work_queued()
        yield _gauge(
            "triaged_work_queued",
            "Runs that were asked for, or are due, and wait for their turn.",
            {pipeline: queued.get(pipeline, 0) for pipeline in self._catalog.pipelines},
        )
        yield progress

    def _open_failures(self) -> Iterator[Metric]:
        counts = {(p, c.value): 0 for p in self._catalog.pipelines for c in CATEGORIES}
        retryable = dict.fromkeys(self._catalog.pipelines, 0)
        for (pipeline, category, helps), n in self._measured.open_failures().items():
            if pipeline in retryable:
                counts[pipeline, category] += n
                retryable[pipeline] += n if helps else 0
        family = GaugeMetricFamily(
            "triaged_failures_open",
            "Failures that are open: neither resolved nor dealt with.",
            labels=["pipeline", "category"],
        )
        totals = dict.fromkeys(self._catalog.pipelines, 0)
        for (pipeline, category), n in counts.items():
            family.add_metric([pipeline, category], n)
            totals[pipeline] += n
        yield family
        yield _gauge(
            "triaged_failures_retryable_ratio",
            "Share of the open failures that a retry can help, from 0 to 1; 0 when none is open.",
            {p: retryable[p] / n if n else 0.0 for p, n in totals.items()},
        )

    def _retries_pending(self) -> Iterator[Metric]:
        # The last known while the store cannot be read: that is when metrics are needed most.
        with suppress(StoreError):
            self._pending = self._measured.retries_pending()
        pending = {pipeline: self._pending.get(pipeline, 0) for pipeline in self._catalog.pipelines}
        yield _gauge("triaged_retries_pending", "Items that wait for another attempt.", pending)

    def _cycle_sources(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "triaged_cycle_sources",
            "Sources of the current or latest cycle, by state.",
            labels=["pipeline", "state"],
        )
        found = self._measured.cycle_sources()
        for pipeline in self._catalog.pipelines:
            for state in ("pending", "running", "done", "failed"):
                family.add_metric([pipeline, state], found.get(pipeline, {}).get(state, 0))
        yield family

    def _schedules(self) -> Iterator[Metric]:
        pipelines = self._catalog.pipelines
        yield _gauge(
            "triaged_pipeline_paused",
            "1 while a person keeps the pipeline's cycles from starting by themselves.",
            {pipeline: int(self._measured.is_paused(pipeline)) for pipeline in pipelines},
        )
        yield _gauge(
            "triaged_cycle_next_timestamp_seconds",
            "When the next cycle is due; absent for pipelines that run on demand. In the past: late.",
            self._measured.next_cycles(),
        )

    def _source_states(self) -> Iterator[Metric]:
        gauges = SourceGauges()
        skipped = CounterMetricFamily(
            "triaged_source_cycles_skipped",
            "Due cycles that did not run the source, because its run of the one before was not over.",
            labels=["pipeline", "source"],
        )
        for (pipeline, source), failed_with in self._sources.items():
            gauges.add(self._measured.standing(pipeline, source), failed_with)
            skipped.add_metric([pipeline, source], self._cycles_skipped[pipeline, source])
        yield from gauges.families()
        yield skipped
        yield GaugeMetricFamily(
            "triaged_failures_left_behind",
            "Open failures of sources that are switched off or gone: nothing tries them again.",
            value=self._left_behind(),
        )
        yield GaugeMetricFamily(
            "triaged_sources_without_series",
            "Sources beyond metrics.max_sources, which have no series of their own.",
            value=self._sources.unseen,
        )

    def _left_behind(self) -> int:
        gone = set(self._measured.failed_sources()) - set(enabled_sources(self._catalog))
        return sum(self._measured.standing(*source).open_failures for source in gone)

    def _clocks(self) -> Iterator[Metric]:
        clocks = self._measured.clocks()
        yield GaugeMetricFamily(
            "triaged_clock_behind_seconds",
            "How far the machine's clock is behind the latest time that it, or the store, has shown: ages are wrong by "
            "as much. 0 when it is right.",
            value=clocks.behind_seconds,
        )
        yield CounterMetricFamily(
            "triaged_clock_steps", "How often the machine's clock was set.", value=clocks.steps
        )
        yield GaugeMetricFamily(
            "triaged_retention_waiting",
            "1 while nothing is forgotten, because the clock is far ahead of what is stored.",
            value=int(clocks.retention_waits),
        )

    def _store(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "triaged_store_queue_events",
            "Events that wait to be stored.",
            value=self._measured.queue_events(),
        )
        yield CounterMetricFamily(
            "triaged_store_errors",
            "Failed attempts to write the store.",
            value=self._measured.store_errors(),
        )
        yield GaugeMetricFamily(
            "triaged_store_bytes",
            "Size of the store on disk.",
            value=self._measured.store_bytes(),
        )
        yield GaugeMetricFamily(
            "triaged_store_free_bytes",
            "Free space on the file system of the store.",
            value=self._measured.store_free_bytes(),
        )


def _gauge(name: str, text: str, values: dict[str, float] | dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["pipeline"])
    for pipeline, value in values.items():
        family.add_metric([pipeline], value)
    return family
