"""Alerts about one source: it fails, or it has not succeeded for long."""

from __future__ import annotations

from alerts.advice import ADVICE, advice_by_category, cause_by_category
from alerts.recording import INTERVAL, SUCCESS_AGE
from alerts.rule import BY, Alert, Dashboard, Series, Severity, expression
from alerts.thresholds import Thresholds, seconds
from daemon.taxonomy import CATEGORIES, Category

BLOCKED = (Category.PERMISSION, Category.ACCOUNT_NOT_FOUND, Category.CONFIGURATION)
"""Somebody has to do something, as with credentials, but a second attempt does no harm."""
OTHERS = tuple(c for c in Category if c not in (*BLOCKED, Category.AUTHENTICATION))

FAILURES = (
    "/api/processing/failures?pipeline={{ $labels.pipeline }}&source={{ $labels.source }}"
    "&category={{ $labels.category }}&status=open"
)
RUNS = "/api/runs?pipeline={{ $labels.pipeline }}&source={{ $labels.source }}"
SINCE = (
    '{{ if gt $value 1.0 }} It has failed since {{ ($value | toTime).Format "2 January 2006 15:04 UTC" }}.'
    "{{ end }}"
)
"""A sentence of its own for alerts whose value is that time; nothing where it is not known. A template that asked
for it by `query` would take Prometheus seconds when a thousand sources fail."""
SOURCE = "The source {{ $labels.source }} of the pipeline {{ $labels.pipeline }}"


def source_alerts(thresholds: Thresholds) -> list[Alert]:
    """Alerts with the labels `pipeline` and `source`, most of them also `category`."""
    series = Series(thresholds)
    no_success = thresholds.no_success
    return [
        _authentication(series, Severity.WARNING, ""),
        _authentication(series, Severity.CRITICAL, thresholds.authentication.critical_after),
        _blocked(series, thresholds.source_blocked.consecutive),
        _failing(series, thresholds.source_failing.consecutive),
        _no_success(series, thresholds, Severity.WARNING, no_success.intervals),
        _no_success(series, thresholds, Severity.CRITICAL, no_success.critical_intervals),
    ]


def _authentication(series: Series, severity: Severity, lasting: str) -> Alert:
    failing = series("triaged_source_failing", f'category="{Category.AUTHENTICATION}"')
    since = f" for more than {lasting}" if lasting else ""
    return Alert(
        name="TriagedAuthenticationFailing",
        expr=_with_since(series, f"{failing} == 1"),
        severity=severity,
        lasting=lasting,
        summary="The credentials of a source are refused.",
        description=f"{SOURCE} cannot log in{since}: its latest run failed with the category "
        f"{{{{ $labels.category }}}}.{SINCE} It is not tried again by itself.",
        cause=CATEGORIES[Category.AUTHENTICATION].meaning,
        advice=ADVICE[Category.AUTHENTICATION],
        dashboard=Dashboard.SOURCES,
        detail=FAILURES,
    )


def _blocked(series: Series, consecutive: int) -> Alert:
    return Alert(
        name="TriagedSourceBlocked",
        expr=_in_a_row(series, BLOCKED, consecutive),
        severity=Severity.WARNING,
        summary="A source cannot work until somebody changes rights, names or settings.",
        description=_failed_in_a_row(consecutive),
        cause=cause_by_category(BLOCKED),
        advice=advice_by_category(BLOCKED),
        dashboard=Dashboard.SOURCES,
        detail=FAILURES,
    )


def _failing(series: Series, consecutive: int) -> Alert:
    return Alert(
        name="TriagedSourceFailing",
        expr=_in_a_row(series, OTHERS, consecutive),
        severity=Severity.WARNING,
        summary="A source fails again and again.",
        description=_failed_in_a_row(consecutive),
        cause=cause_by_category(OTHERS),
        advice=advice_by_category(OTHERS),
        dashboard=Dashboard.SOURCES,
        detail=FAILURES,
    )


def _in_a_row(series: Series, categories: tuple[Category, ...], consecutive: int) -> str:
    """Sources whose latest run failed so, after others that failed in a row."""
    failing = series("triaged_source_failing", f'category=~"{"|".join(categories)}"')
    in_a_row = series("triaged_source_consecutive_failures")
    return _with_since(series, f"{failing} == 1 and on ({BY}, source) {in_a_row} >= {consecutive}")


def _with_since(series: Series, failing: str) -> str:
    """Those that fail, with the time since when as the value, or 1 where it is not known."""
    return expression(f"""
        ({failing})
        * on ({BY}, source) group_left ()
        {series("triaged_source_failing_since_timestamp_seconds")}
        or
        ({failing})
    """)


def _failed_in_a_row(consecutive: int) -> str:
    return (
        f"{SOURCE} failed at least {consecutive} times in a row, the last time with the category "
        f"{{{{ $labels.category }}}}.{SINCE}"
    )


def _no_success(
    series: Series, thresholds: Thresholds, severity: Severity, intervals: int
) -> Alert:
    chosen = thresholds.no_success
    paused = series("triaged_pipeline_paused")
    return Alert(
        name="TriagedSourceNoSuccess",
        expr=expression(f"""
            (
              {SUCCESS_AGE}
              > on ({BY}) group_left ()
              ({INTERVAL} * {intervals} + {seconds(chosen.slack)})
            )
            unless on ({BY})
            (max_over_time({paused}[{chosen.after_pause}]) == 1)
        """),
        severity=severity,
        summary=f"A source has not succeeded for {intervals} intervals.",
        description=f"{SOURCE} has had no run that succeeded for {{{{ $value | humanizeDuration }}}}, "
        f"or since the daemon started: more than {intervals} times the interval of its cycles.",
        advice="Look at its latest runs: they fail, succeed only in part, do not end, or do not begin.",
        dashboard=Dashboard.SOURCES,
        detail=RUNS,
    )
