"""Alerts about one source: it fails, failures of it stay open, or it has not succeeded for long."""

from __future__ import annotations

from alerts.advice import ADVICE, advice_by_category, cause_by_category
from alerts.recording import INTERVAL, SUCCESS_AGE, WORKED_AGE
from alerts.rule import BY, Alert, Dashboard, Series, Severity, expression
from alerts.thresholds import Thresholds, seconds
from daemon.taxonomy import CATEGORIES, Category

BLOCKED = (Category.PERMISSION, Category.ACCOUNT_NOT_FOUND, Category.CONFIGURATION)
"""Somebody has to do something, as with credentials, but a second attempt does no harm."""
PASSING = (Category.CONNECTION, Category.RATE_LIMIT, Category.SERVICE_UNAVAILABLE)
"""What often ends by itself: retries go on until it does."""
URGENT = (
    *(Category.AUTHENTICATION, Category.PERMISSION, Category.CONFIGURATION),
    *(Category.WRITE_FAILURE, Category.RESOURCE),
)
"""What is wrong where triaged runs, rather than with the input, and hits the next item as well."""
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
        *_failures_open(series, thresholds),
        _left_behind(series, thresholds),
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
        description=f"{SOURCE} cannot log in{since}: it fails with the category "
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
    """Sources that fail so, after runs that failed in a row."""
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
        f"{SOURCE} failed at least {consecutive} times in a row; it fails with the category "
        f"{{{{ $labels.category }}}}.{SINCE}"
    )


def _failures_open(series: Series, thresholds: Thresholds) -> list[Alert]:
    """The age is that of the oldest failure, which the daemon keeps, so that no restart begins it anew."""
    chosen = thresholds.failures_open
    lasting = tuple(c for c in Category if c not in PASSING)
    return [
        _open_for(series, lasting, Severity.WARNING, chosen.after),
        _open_for(series, PASSING, Severity.WARNING, chosen.passing_after),
        _open_for(series, URGENT, Severity.CRITICAL, chosen.critical_after),
    ]


def _open_for(
    series: Series, categories: tuple[Category, ...], severity: Severity, after: str
) -> Alert:
    since = series(
        "triaged_source_open_since_timestamp_seconds", f'category=~"{"|".join(categories)}"'
    )
    return Alert(
        name="TriagedFailuresOpen",
        expr=f"{since} < time() - {seconds(after)}",
        severity=severity,
        summary="Failures of a source are open, and later runs may skip what they are about.",
        description=f"{SOURCE} has open failures of the category {{{{ $labels.category }}}}, the oldest since "
        '{{ ($value | toTime).Format "2 January 2006 15:04 UTC" }}: more than '
        f"{after}.",
        cause=cause_by_category(categories),
        advice=advice_by_category(categories),
        dashboard=Dashboard.SOURCES,
        detail=FAILURES,
    )


def _left_behind(series: Series, thresholds: Thresholds) -> Alert:
    return Alert(
        name="TriagedFailuresLeftBehind",
        expr=f"{series('triaged_failures_left_behind')} > 0",
        severity=Severity.WARNING,
        lasting=thresholds.failures_open.left_behind_after,
        summary="Failures are open of sources that are switched off or no longer configured.",
        description="{{ $value }} open failures of the daemon at {{ $labels.instance }} are of sources that no cycle runs, "
        "so nothing resolves them.",
        advice="See which sources they are of. If nothing is left to do, resolve or ignore their groups; "
        "if a source was renamed, what failed under its old name may have to be done under the new one.",
        dashboard=Dashboard.FAILURES,
        detail="/api/processing/failures?status=open",
    )


def _no_success(
    series: Series, thresholds: Thresholds, severity: Severity, intervals: int
) -> Alert:
    """One that works in part is told of by its open failures."""
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
            unless on ({BY}, source)
            (
              {WORKED_AGE}
              <= on ({BY}) group_left ()
              ({INTERVAL} * {intervals} + {seconds(chosen.slack)})
            )
            unless on ({BY})
            (max_over_time({paused}[{chosen.after_pause}]) == 1)
        """),
        severity=severity,
        summary=f"A source has not succeeded for {intervals} intervals.",
        description=f"{SOURCE} has had no run that succeeded, even in part, for {{{{ $value | humanizeDuration }}}}, "
        f"or since the daemon started: more than {intervals} times the interval of its cycles.",
        advice="Look at its latest runs: they fail, do not end, or do not begin.",
        dashboard=Dashboard.SOURCES,
        detail=RUNS,
    )
