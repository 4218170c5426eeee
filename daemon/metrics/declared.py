"""Every counter, histogram and dated gauge of the daemon, each declared once."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from daemon.taxonomy import CATEGORIES, RunStatus

disable_created_metrics()  # type: ignore[no-untyped-call]

RUN_BUCKETS = (0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600)
COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
SKIP_REASONS = ("overlap", "missed", "paused")
CYCLE_OUTCOMES = ("success", "partial", "failed", "interrupted")
RUN_STATUSES = tuple(status.value for status in RunStatus if status is not RunStatus.RUNNING)
ITEM_OUTCOMES = ("succeeded", "failed", "skipped")
ROW_OUTCOMES = ("loaded", "rejected")
CONNECTION_ENDS = ("header_timeout", "body_timeout", "send_timeout", "displaced", "refused")
RETRY_OUTCOMES = ("succeeded", "failed", "not_retried")


class Declared:
    """The metrics that are counted, in a registry of their own."""

    def __init__(self, version: str) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        info = Gauge(
            "triaged_build_info",
            "Version of triaged, with its commit.",
            ["version"],
            registry=registry,
        )
        info.labels(version).set(1)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        self.cycles = counter(
            "triaged_cycles_total", "Cycles that ended, by outcome.", "pipeline", "outcome"
        )
        self.cycles_skipped = counter(
            "triaged_cycles_skipped_total",
            "Cycles that were due and did not run: the one before still ran (overlap), the daemon "
            "was too busy or asleep (missed), or a person paused the pipeline (paused).",
            "pipeline",
            "reason",
        )
        self.cycle_seconds = Histogram(
            "triaged_cycle_duration_seconds",
            "How long cycles took.",
            ["pipeline"],
            buckets=RUN_BUCKETS,
            registry=registry,
        )
        self.cycle_completion = Gauge(
            "triaged_cycle_last_completion_timestamp_seconds",
            "When the last cycle ended; 0 when none has.",
            ["pipeline"],
            registry=registry,
        )
        self.cycle_interval = Gauge(
            "triaged_cycle_interval_seconds",
            "Time between cycles; 0 for pipelines that run by cron or on demand.",
            ["pipeline"],
            registry=registry,
        )
        self.runs = counter(
            "triaged_runs_total", "Runs that ended, by status.", "pipeline", "status"
        )
        self.run_seconds = Histogram(
            "triaged_run_duration_seconds",
            "How long runs took.",
            ["pipeline", "status"],
            buckets=RUN_BUCKETS,
            registry=registry,
        )
        self.items = counter(
            "triaged_items_total", "Items of runs, by outcome.", "pipeline", "outcome"
        )
        self.rows = counter(
            "triaged_rows_total", "Rows of files, by outcome.", "pipeline", "outcome"
        )
        self.failures = counter(
            "triaged_failures_total",
            "Failures stored: one for each item and cause.",
            "pipeline",
            "category",
            "retryable",
        )
        self.retries = counter(
            "triaged_retries_total",
            "Items of runs that were started to retry something, by outcome; not_retried are those that "
            "a retry operation was asked for and that could not be retried.",
            "pipeline",
            "outcome",
        )
        self.live_clients = Gauge(
            "triaged_live_clients", "WebSockets that are open.", registry=registry
        )
        self.connections = Gauge(
            "triaged_connections", "Connections to the API that are open.", registry=registry
        )
        self.connections_ended = counter(
            "triaged_connections_ended_total",
            "Connections to the API that the daemon ended because the client did not go on in time (header_timeout, "
            "body_timeout, send_timeout), for a newer one while it waited for a request (displaced), or at once, "
            "since all others were at work (refused).",
            "reason",
        )
        for reason in CONNECTION_ENDS:
            self.connections_ended.labels(reason)
        self.live_dropped = counter(
            "triaged_live_dropped_total",
            "Clients that were dropped because they did not take their live messages.",
        )
        self.notifications_dropped = counter(
            "triaged_notifications_dropped_total",
            "Notifications of failures that could not be delivered, by channel: socket.",
            "channel",
        )
        self.requests_refused = counter(
            "triaged_requests_refused_total",
            "API requests refused for a bad key (key), a missing role (role) or their number (rate).",
            "reason",
        )
        for reason in ("key", "role", "rate"):
            self.requests_refused.labels(reason)
        self.commit_seconds = Histogram(
            "triaged_store_commit_seconds",
            "How long the store took to write a group of events durably.",
            buckets=COMMIT_BUCKETS,
            registry=registry,
        )

    def create_at_zero(
        self, pipeline: str, interval_seconds: float | None, *, counts_rows: bool
    ) -> None:
        """Makes every series that a pipeline will ever have."""
        for outcome in CYCLE_OUTCOMES:
            self.cycles.labels(pipeline, outcome)
        for reason in SKIP_REASONS:
            self.cycles_skipped.labels(pipeline, reason)
        for status in RUN_STATUSES:
            self.runs.labels(pipeline, status)
            self.run_seconds.labels(pipeline, status)
        for outcome in ITEM_OUTCOMES:
            self.items.labels(pipeline, outcome)
        for outcome in ROW_OUTCOMES if counts_rows else ():
            self.rows.labels(pipeline, outcome)
        for outcome in RETRY_OUTCOMES:
            self.retries.labels(pipeline, outcome)
        for category in CATEGORIES:
            for retryable in ("true", "false"):
                self.failures.labels(pipeline, category.value, retryable)
        self.cycle_seconds.labels(pipeline)
        self.cycle_completion.labels(pipeline)
        self.cycle_interval.labels(pipeline).set(interval_seconds or 0)
