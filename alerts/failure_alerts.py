"""Alerts about a pipeline's failures: how many, of what kind, and what waits for another attempt."""

from __future__ import annotations

from alerts.recording import ITEMS_FAILED, UNKNOWN, retryable, runs_failed
from alerts.rule import BY, Alert, Dashboard, Series, Severity, expression
from alerts.thresholds import Thresholds, seconds

BURN_RATES = (
    (Severity.CRITICAL, 14.4, "1h", "5m"),
    (Severity.CRITICAL, 6.0, "6h", "30m"),
    (Severity.WARNING, 1.0, "3d", "6h"),
)
"""Severity, rate, and both windows, as the SRE Workbook has them in its chapter 5."""

KEEP_FIRING = "10m"
"""Runs may be rarer than the shortest window is long: a moment without any must not end the alert."""

FAILURES = "/api/processing/failures?pipeline={{ $labels.pipeline }}&status=open"
FAILED_RUNS = "/api/runs?pipeline={{ $labels.pipeline }}&status=failed"
RETRYABLE = f"{FAILURES}&retryable=false"
UNRECOGNISED = "/api/failures/unclassified?pipeline={{ $labels.pipeline }}"
PIPELINE = "the pipeline {{ $labels.pipeline }}"


def failure_alerts(thresholds: Thresholds) -> list[Alert]:
    """Alerts with the label `pipeline`."""
    series = Series(thresholds)
    return [
        *(_burn(series, thresholds, *rate) for rate in BURN_RATES),
        _items_failed(series, thresholds),
        _retryable_collapsed(series, thresholds),
        _unknown_share(series, thresholds),
        _backlog(series, thresholds),
        _backlog_growing(series, thresholds),
    ]


def _burn(
    series: Series,
    thresholds: Thresholds,
    severity: Severity,
    rate: float,
    window: str,
    short: str,
) -> Alert:
    """Both windows have to be above: the long one says it matters, the short one that it goes on."""
    budget = 1 - thresholds.error_budget.objective
    limit = f"{rate * budget:.6g}"
    runs = series("triaged_runs_total", 'status=~"success|partial|failed"')
    return Alert(
        name="TriagedErrorBudgetBurn",
        expr=expression(f"""
            ({runs_failed(window)} > {limit})
            and on ({BY})
            ({runs_failed(short)} > {limit})
            and on ({BY})
            (sum by ({BY}) (increase({runs}[{window}])) >= {thresholds.error_budget.least_runs})
        """),
        severity=severity,
        keep_firing=KEEP_FIRING,
        labels={"window": window},
        summary="So many runs fail that the error budget is used up too fast.",
        description=f"{{{{ $value | humanizePercentage }}}} of the runs of {PIPELINE} failed within {window}, "
        f"more than {rate:g} times what an objective of {thresholds.error_budget.objective:.6g} allows.",
        advice="Look at what the failed runs have in common: group, source, and since when.",
        dashboard=Dashboard.FAILURES,
        detail=FAILED_RUNS,
    )


def _items_failed(series: Series, thresholds: Thresholds) -> Alert:
    chosen = thresholds.items_failed
    failed = series("triaged_items_total", 'outcome="failed"')
    return Alert(
        name="TriagedItemsFailing",
        expr=expression(f"""
            ({ITEMS_FAILED} > {chosen.ratio:.6g})
            and on ({BY})
            (sum by ({BY}) (increase({failed}[1h])) >= {chosen.least})
        """),
        severity=Severity.WARNING,
        lasting=chosen.lasting,
        summary="Many of the items that a pipeline works on fail.",
        description=f"{{{{ $value | humanizePercentage }}}} of the items of {PIPELINE} failed within an hour.",
        advice="Look at the largest failure group first; once its cause is gone, retry the group.",
        dashboard=Dashboard.FAILURES,
        detail=FAILURES,
    )


def _new_failures(series: Series, least: int) -> str:
    return f"(sum by ({BY}) (increase({series('triaged_failures_total')}[1h])) >= {least})"


def _retryable_collapsed(series: Series, thresholds: Thresholds) -> Alert:
    chosen = thresholds.retryable_collapsed
    return Alert(
        name="TriagedRetryableCollapsed",
        expr=expression(f"""
            ({retryable("1h")} < {chosen.below:.6g})
            and on ({BY})
            ({retryable("1d")} > {chosen.usually_above:.6g})
            and on ({BY})
            {_new_failures(series, chosen.least_failures)}
        """),
        severity=Severity.WARNING,
        lasting=chosen.lasting,
        summary="Failures that pass by themselves have given way to failures that do not.",
        description=f"A retry can help {{{{ $value | humanizePercentage }}}} of the last hour's failures of {PIPELINE}; "
        f"over the last day it was more than {chosen.usually_above:.0%}.",
        advice="Something changed for good: look at the newest failures that are not retryable.",
        dashboard=Dashboard.FAILURES,
        detail=RETRYABLE,
    )


def _unknown_share(series: Series, thresholds: Thresholds) -> Alert:
    chosen = thresholds.unknown_share
    return Alert(
        name="TriagedUnknownShareHigh",
        expr=expression(f"""
            ({UNKNOWN} > {chosen.above:.6g})
            and on ({BY})
            {_new_failures(series, chosen.least_failures)}
        """),
        severity=Severity.WARNING,
        lasting=chosen.lasting,
        summary="Many failures are of a kind that no rule recognises.",
        description=f"No rule recognised {{{{ $value | humanizePercentage }}}} of the last hour's failures of {PIPELINE}.",
        advice="Write rules for the most frequent messages: triaged unclassified proposes them.",
        dashboard=Dashboard.FAILURES,
        detail=UNRECOGNISED,
    )


def _backlog(series: Series, thresholds: Thresholds) -> Alert:
    chosen = thresholds.retries
    return Alert(
        name="TriagedRetryBacklog",
        expr=f"{series('triaged_retries_pending')} > {chosen.pending}",
        severity=Severity.WARNING,
        lasting=chosen.lasting,
        summary="Very many items wait for another attempt.",
        description=f"{{{{ $value }}}} items of {PIPELINE} have waited for another attempt for {chosen.lasting}.",
        advice="Find out whether retries succeed; if not, cancel the operation and remove the cause first.",
        dashboard=Dashboard.FAILURES,
        detail="/api/retries",
    )


def _backlog_growing(series: Series, thresholds: Thresholds) -> Alert:
    """Only from a tenth of the limit on: before that a trend says little."""
    chosen = thresholds.retries
    pending = series("triaged_retries_pending")
    return Alert(
        name="TriagedRetryBacklogGrowing",
        expr=expression(f"""
            (predict_linear({pending}[1h], {seconds(chosen.horizon)}) > {chosen.pending})
            and
            ({pending} > {chosen.pending / 10:.6g} and {pending} <= {chosen.pending})
            and
            ({pending} offset 30m)
        """),
        severity=Severity.WARNING,
        lasting="10m",
        summary="More and more items wait for another attempt.",
        description=f"If it goes on like this, {{{{ $value | humanize }}}} items of {PIPELINE} wait for another attempt "
        f"in {chosen.horizon}; the limit is {chosen.pending}.",
        advice="Find out why retries fail or come slower than new failures, before the backlog is large.",
        dashboard=Dashboard.FAILURES,
        detail="/api/retries",
    )
