"""Recording rules: ratios over several windows, ages, and what counts as an interval."""

from __future__ import annotations

from alerts.rule import BY, Recording, Series
from alerts.thresholds import Thresholds, seconds

WINDOWS = ("5m", "30m", "1h", "6h", "3d")
"""Windows of the burn rates."""

INTERVAL = "pipeline:triaged_cycle_interval:seconds"
CYCLE_AGE = "pipeline:triaged_cycle_age:seconds"
SUCCESS_AGE = "source:triaged_success_age:seconds"
WORKED_AGE = "source:triaged_worked_age:seconds"
ITEMS_FAILED = "pipeline:triaged_items_failed:ratio_rate1h"
UNKNOWN = "pipeline:triaged_failures_unknown:ratio_rate1h"


def runs_failed(window: str) -> str:
    """Share of the ended runs that failed."""
    return f"pipeline:triaged_runs_failed:ratio_rate{window}"


def retryable(window: str) -> str:
    """Share of the new failures that a retry can help."""
    return f"pipeline:triaged_failures_retryable:ratio_rate{window}"


def recordings(thresholds: Thresholds) -> list[Recording]:
    """All recording rules."""
    series = Series(thresholds)
    return [*_ratios(series), *_ages(series), _interval(thresholds, series)]


def _ratios(series: Series) -> list[Recording]:
    runs = series("triaged_runs_total", 'status=~"success|partial|failed"')
    failed = series("triaged_runs_total", 'status="failed"')
    items = series("triaged_items_total", 'outcome=~"succeeded|failed"')
    items_failed = series("triaged_items_total", 'outcome="failed"')
    failures = series("triaged_failures_total")
    helped = series("triaged_failures_total", 'retryable="true"')
    unknown = series("triaged_failures_total", 'category="unknown"')
    return [
        *(_ratio(runs_failed(window), failed, runs, window) for window in WINDOWS),
        _ratio(ITEMS_FAILED, items_failed, items, "1h"),
        *(_ratio(retryable(window), helped, failures, window) for window in ("1h", "1d")),
        _ratio(UNKNOWN, unknown, failures, "1h"),
    ]


def _ratio(name: str, part: str, whole: str, window: str) -> Recording:
    """Absent, rather than no number, while there is nothing to divide by."""
    lines = [f"sum by ({BY}) (rate({part}[{window}]))", "/"]
    return Recording(
        name=name, expr="\n".join([*lines, f"(sum by ({BY}) (rate({whole}[{window}])) > 0)"])
    )


def _ages(series: Series) -> list[Recording]:
    """Since the latest of an event and the daemon's start: what happened before that is not late yet."""
    started = series("process_start_time_seconds")
    return [
        _age(
            CYCLE_AGE,
            series("triaged_cycle_last_completion_timestamp_seconds"),
            series("triaged_cycle_last_completion_timestamp_seconds"),
            started,
        ),
        _age(
            SUCCESS_AGE,
            series("triaged_source_last_success_timestamp_seconds"),
            series("triaged_source_consecutive_failures"),  # there even without a success
            started,
        ),
        Recording(
            name=WORKED_AGE,
            expr=f"time() - {series('triaged_source_last_worked_timestamp_seconds')}",
        ),
    ]


def _age(name: str, event: str, always: str, started: str) -> Recording:
    lines = [
        "time() - (",
        f"  ({event} > on (job, instance) group_left () {started})",
        "  or",
        f"  ({always} * 0 + on (job, instance) group_left () {started})",
        ")",
    ]
    return Recording(name=name, expr="\n".join(lines))


def _interval(thresholds: Thresholds, series: Series) -> Recording:
    """The interval of the configuration, or what is expected of a pipeline that has none."""
    known = [f"({series('triaged_cycle_interval_seconds')} > 0)"]
    for pipeline, interval in sorted(thresholds.intervals.items()):
        named = series("triaged_cycle_interval_seconds", f'pipeline="{pipeline}"')
        known.append(f"({named} * 0 + {seconds(interval)})")
    return Recording(name=INTERVAL, expr="\nor\n".join(known))
