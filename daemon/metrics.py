"""Prometheus metrics: counted when an event is on disk, measured when somebody scrapes.

Every pipeline and category exists at zero from the start. Label values are names of pipelines and sources,
and closed vocabularies, so the number of series is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from daemon import events
from daemon.errors import StoreError
from daemon.live import Live
from daemon.pipelines.catalog import Catalog
from daemon.source_states import SourceStates
from daemon.store.entries import Committed, Entry
from daemon.store.runs import SourceStanding
from daemon.triage.taxonomy import CATEGORIES, RetryOutcome, RunStatus, Trigger

disable_created_metrics()  # type: ignore[no-untyped-call]

RUN_BUCKETS = (0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600)
COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
SKIP_REASONS = ("overlap", "missed", "paused")
CYCLE_OUTCOMES = ("success", "partial", "failed", "interrupted")
RUN_STATUSES = tuple(status.value for status in RunStatus if status is not RunStatus.RUNNING)
ITEM_OUTCOMES = ("succeeded", "failed", "skipped")
ROW_OUTCOMES = {"ingest": ("loaded", "rejected")}
RETRY_OUTCOMES = ("succeeded", "failed", "not_retried")


class Measured(NamedTuple):
    """What is asked of the rest of the daemon at each scrape."""

    open_failures: Callable[[], dict[tuple[str, str, bool], int]]
    """By pipeline, category and whether a retry helps."""
    cycle_sources: Callable[[], dict[str, dict[str, int]]]
    """By pipeline and state."""
    retries_pending: Callable[[], dict[str, int]]
    """By pipeline."""
    queue_events: Callable[[], int]
    store_errors: Callable[[], int]
    store_bytes: Callable[[], int]


class Metrics:
    """All metrics of the daemon, in a registry of their own."""

    def __init__(self, version: str, catalog: Catalog, live: Live, max_sources: int) -> None:
        self.registry = CollectorRegistry()
        self._catalog = catalog
        self._live = live
        self._declare(version)
        self._sources = SourceStates(catalog, max_sources)
        for pipeline in catalog.pipelines:
            self._create_at_zero(pipeline)

    def _declare(self, version: str) -> None:
        registry = self.registry
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        info = Gauge("triaged_build_info", "Version of triaged.", ["version"], registry=registry)
        info.labels(version).set(1)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        self._cycles = counter(
            "triaged_cycles_total", "Cycles that ended, by outcome.", "pipeline", "outcome"
        )
        self._cycles_skipped = counter(
            "triaged_cycles_skipped_total",
            "Cycles that were due and did not run: the one before still ran (overlap), the daemon "
            "was too busy or asleep (missed), or a person paused the pipeline (paused).",
            "pipeline",
            "reason",
        )
        self._cycle_seconds = Histogram(
            "triaged_cycle_duration_seconds",
            "How long cycles took.",
            ["pipeline"],
            buckets=RUN_BUCKETS,
            registry=registry,
        )
        self._cycle_completion = Gauge(
            "triaged_cycle_last_completion_timestamp_seconds",
            "When the last cycle ended; 0 when none has.",
            ["pipeline"],
            registry=registry,
        )
        self._cycle_interval = Gauge(
            "triaged_cycle_interval_seconds",
            "Time between cycles; 0 for pipelines that run by cron or on demand.",
            ["pipeline"],
            registry=registry,
        )
        self._runs = counter(
            "triaged_runs_total", "Runs that ended, by status.", "pipeline", "status"
        )
        self._run_seconds = Histogram(
            "triaged_run_duration_seconds",
            "How long runs took.",
            ["pipeline", "status"],
            buckets=RUN_BUCKETS,
            registry=registry,
        )
        self._items = counter(
            "triaged_items_total", "Items of runs, by outcome.", "pipeline", "outcome"
        )
        self._rows = counter(
            "triaged_rows_total", "Rows of files, by outcome.", "pipeline", "outcome"
        )
        self._failures = counter(
            "triaged_failures_total",
            "Failures stored: one for each item and cause.",
            "pipeline",
            "category",
            "retryable",
        )
        self._retries = counter(
            "triaged_retries_total",
            "Items of runs that were started to retry something, by outcome; not_retried are those that "
            "a retry operation was asked for and that could not be retried.",
            "pipeline",
            "outcome",
        )
        self._retrying: set[str] = set()
        self.live_clients = Gauge(
            "triaged_live_clients", "Clients that follow live.", registry=registry
        )
        self.live_dropped = counter(
            "triaged_live_dropped_total", "Live updates that a slow client did not get."
        )
        self.notifications_dropped = counter(
            "triaged_notifications_dropped_total",
            "Notifications that could not be delivered.",
            "channel",
        )
        self._commit_seconds = Histogram(
            "triaged_store_commit_seconds",
            "How long the store took to write a group of events durably.",
            buckets=COMMIT_BUCKETS,
            registry=registry,
        )

    def _create_at_zero(self, pipeline: str) -> None:
        for outcome in CYCLE_OUTCOMES:
            self._cycles.labels(pipeline, outcome)
        for reason in SKIP_REASONS:
            self._cycles_skipped.labels(pipeline, reason)
        for status in RUN_STATUSES:
            self._runs.labels(pipeline, status)
            self._run_seconds.labels(pipeline, status)
        for outcome in ITEM_OUTCOMES:
            self._items.labels(pipeline, outcome)
        for outcome in ROW_OUTCOMES.get(pipeline, ()):
            self._rows.labels(pipeline, outcome)
        for outcome in RETRY_OUTCOMES:
            self._retries.labels(pipeline, outcome)
        for category in CATEGORIES:
            for retryable in ("true", "false"):
                self._failures.labels(pipeline, category.value, retryable)
        self._cycle_seconds.labels(pipeline)
        self._cycle_completion.labels(pipeline)
        interval = self._catalog.pipeline(pipeline).interval_seconds
        self._cycle_interval.labels(pipeline).set(interval or 0)

    def seed(self, standings: Iterable[SourceStanding], last_cycles: dict[str, datetime]) -> None:
        """Starts the gauges from what the store remembers, so a restart does not read as 1970."""
        for standing in standings:
            state = self._sources.get(standing.pipeline, standing.source)
            if state is not None:
                if standing.last_success is not None:
                    state.last_success = standing.last_success.timestamp()
                if standing.failing_category is not None:
                    state.fail(standing.failing_category)
                state.consecutive_failures = standing.consecutive_failures
        for pipeline, ended in last_cycles.items():
            if pipeline in self._catalog.pipelines:
                self._cycle_completion.labels(pipeline).set(ended.timestamp())

    def measure(self, measured: Measured) -> None:
        """Adds the gauges that are read from the rest of the daemon at each scrape."""
        self.registry.register(_AtScrape(self._catalog, self._live, self._sources, measured))

    def count(self, committed: Committed) -> None:
        """A subscriber of the recorder: counts what is on disk."""
        self._commit_seconds.observe(committed.seconds)
        for entry in committed.entries:
            self._count(entry)

    def _count(self, entry: Entry) -> None:  # noqa: C901 (one case for each kind of event)
        match entry.event:
            case events.ItemFailed() as event:
                self._count_failure(event, entry)
            case events.ItemSucceeded() as event:
                self._items.labels(event.pipeline, "succeeded").inc()
                self._count_rows(event.pipeline, event.file)
                self._count_retry(event, "succeeded")
            case events.ItemSkipped() as event:
                self._items.labels(event.pipeline, "skipped").inc(event.count)
            case events.RunStarted(trigger=Trigger.RETRY) as event:
                self._retrying.add(event.run_id)
            case events.RunEnded() as event:
                self._count_run(event, entry)
            case events.CycleEnded() as event:
                self._cycles.labels(event.pipeline, event.outcome.value).inc()
                self._cycle_seconds.labels(event.pipeline).observe(event.duration_seconds)
                self._cycle_completion.labels(event.pipeline).set(event.at.timestamp())
            case events.CycleSkipped() as event:
                self._cycles_skipped.labels(event.pipeline, event.reason).inc()
            case events.RetryProgressed() as event:
                for result in event.results:
                    if result.outcome is RetryOutcome.NOT_RETRIED:
                        self._count_not_retried(result.pipeline)

    def _count_retry(self, event: events.RunEvent, outcome: str) -> None:
        if event.run_id in self._retrying:
            self._retries.labels(event.pipeline, outcome).inc()

    def _count_not_retried(self, pipeline: str) -> None:
        if pipeline in self._catalog.pipelines:  # else it is one of an earlier configuration
            self._retries.labels(pipeline, "not_retried").inc()

    def _count_failure(self, event: events.ItemFailed, entry: Entry) -> None:
        assessment = entry.assessment
        assert assessment is not None
        retryable = "true" if assessment.retryable else "false"
        self._failures.labels(event.pipeline, assessment.category.value, retryable).inc()
        if event.first_cause:
            self._items.labels(event.pipeline, "failed").inc()
            self._count_rows(event.pipeline, event.file)
        if event.first_cause or event.item is None:
            self._count_retry(event, "failed")

    def _count_rows(self, pipeline: str, file: events.FileFacts | None) -> None:
        if file is not None and not file.repeated:
            self._rows.labels(pipeline, "loaded").inc(file.rows_loaded)
            self._rows.labels(pipeline, "rejected").inc(file.rows_rejected)

    def _count_run(self, event: events.RunEnded, entry: Entry) -> None:
        status = event.status.value
        self._runs.labels(event.pipeline, status).inc()
        self._run_seconds.labels(event.pipeline, status).observe(event.duration_seconds)
        self._retrying.discard(event.run_id)
        state = self._sources.get(event.pipeline, event.source)
        if state is None:
            return
        if event.status is RunStatus.FAILED:
            state.fail(entry.summary.category if entry.summary else None)
        elif event.status in (RunStatus.SUCCESS, RunStatus.PARTIAL):
            state.recover()
            if event.status is RunStatus.SUCCESS:
                state.last_success = event.at.timestamp()

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The metrics in the format that `accept` asks for, with their content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class _AtScrape(Collector):
    """Gauges computed when somebody asks, so that none can be stale."""

    def __init__(
        self,
        catalog: Catalog,
        live: Live,
        sources: SourceStates,
        measured: Measured,
    ) -> None:
        self._catalog = catalog
        self._live = live
        self._sources = sources
        self._measured = measured
        self._pending: dict[str, int] = {}

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._active_runs()
        yield from self._open_failures()
        yield from self._retries_pending()
        yield from self._cycle_sources()
        yield from self._source_states()
        yield from self._store()

    def _active_runs(self) -> Iterator[Metric]:
        counts = dict.fromkeys(self._catalog.pipelines, 0)
        progress = GaugeMetricFamily(
            "triaged_run_progress_ratio",
            "How far an active run is, from 0 to 1; only while it runs.",
            labels=["pipeline", "source"],
        )
        for run in self._live.active():
            counts[run.pipeline] = counts.get(run.pipeline, 0) + 1
            if run.progress_total and self._sources.get(run.pipeline, run.source):
                ratio = min(1.0, (run.progress_current or 0) / run.progress_total)
                progress.add_metric([run.pipeline, run.source], ratio)
        yield _gauge("triaged_runs_active", "Runs that are under way.", counts)
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

    def _source_states(self) -> Iterator[Metric]:
        failing = GaugeMetricFamily(
            "triaged_source_failing",
            "1 while the source's latest run failed with this category.",
            labels=["pipeline", "source", "category"],
        )
        success = GaugeMetricFamily(
            "triaged_source_last_success_timestamp_seconds",
            "When a run of the source last succeeded; absent until one has.",
            labels=["pipeline", "source"],
        )
        failures = GaugeMetricFamily(
            "triaged_source_consecutive_failures",
            "Runs of the source that failed in a row.",
            labels=["pipeline", "source"],
        )
        for (pipeline, source), state in self._sources.items():
            failures.add_metric([pipeline, source], state.consecutive_failures)
            for category in sorted(state.failed_with):
                failing.add_metric([pipeline, source, category], category == state.failing)
            if state.last_success is not None:
                success.add_metric([pipeline, source], state.last_success)
        yield from (failing, success, failures)
        yield GaugeMetricFamily(
            "triaged_sources_without_series",
            "Sources beyond metrics.max_sources, which have no series of their own.",
            value=self._sources.unseen,
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


def _gauge(name: str, text: str, values: dict[str, float] | dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["pipeline"])
    for pipeline, value in values.items():
        family.add_metric([pipeline], value)
    return family
