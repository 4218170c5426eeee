"""Alerts about the daemon itself: away, restarting, its store, its limits; and the watchdog."""

from __future__ import annotations

from alerts.rule import Alert, Dashboard, Series, Severity, expression
from alerts.thresholds import Thresholds, seconds

HEALTH = "/healthz"


def daemon_alerts(thresholds: Thresholds) -> list[Alert]:
    """Alerts with the labels `job` and `instance` at most."""
    series = Series(thresholds)
    return [
        _absent(series, thresholds),
        _restarting(series, thresholds),
        _store_unwritable(series, thresholds),
        _store_growing(series, thresholds),
        _disk_filling(series, thresholds),
        _clock_wrong(series),
        _series_limit(series),
        _live_dropped(series, thresholds),
        WATCHDOG,
    ]


def _absent(series: Series, thresholds: Thresholds) -> Alert:
    """Both: a target that does not answer, and no target at all."""
    up = series("up")
    return Alert(
        name="TriagedAbsent",
        expr=f"{up} == 0 or absent({up})",
        severity=Severity.CRITICAL,
        lasting=thresholds.absent.lasting,
        summary="The daemon does not answer: nothing runs, and nobody would notice failures.",
        description="Prometheus has had no metrics of the job {{ $labels.job }}"
        f"{{{{ with $labels.instance }}}} at {{{{ . }}}}{{{{ end }}}} for {thresholds.absent.lasting}.",
        advice="See whether the process runs, what its last log lines say and how it exited; then start it.",
        dashboard=Dashboard.DAEMON,
        detail=HEALTH,
    )


def _restarting(series: Series, thresholds: Thresholds) -> Alert:
    return Alert(
        name="TriagedRestarting",
        expr=f"changes({series('process_start_time_seconds')}[1h]) > {thresholds.restarts.more_than}",
        severity=Severity.WARNING,
        summary="The daemon starts again and again.",
        description="The daemon at {{ $labels.instance }} has started {{ $value }} times within an hour.",
        advice="Look at its exit codes and the last log lines before each start, and at the limit of its memory.",
        dashboard=Dashboard.DAEMON,
        detail=HEALTH,
    )


def _store_unwritable(series: Series, thresholds: Thresholds) -> Alert:
    """Attempts fail and events wait: the second ends the alert as soon as the store can be written."""
    return Alert(
        name="TriagedStoreNotWritable",
        expr=expression(f"""
            {series("triaged_store_queue_events")} > 0
            and
            increase({series("triaged_store_errors_total")}[5m]) > 0
        """),
        severity=Severity.CRITICAL,
        lasting=thresholds.store.unwritable,
        summary="The store cannot be written; what happens waits in memory.",
        description="{{ $value }} events of the daemon at {{ $labels.instance }} wait to be stored.",
        advice="Free some space or correct the owner of the folder. Do not restart: the daemon holds what is not written.",
        dashboard=Dashboard.DAEMON,
        detail=HEALTH,
    )


def _store_growing(series: Series, thresholds: Thresholds) -> Alert:
    chosen = thresholds.store
    size = series("triaged_store_bytes")
    return Alert(
        name="TriagedStoreGrowing",
        expr=expression(f"""
            {size} > {chosen.limit_bytes}
            or
            (
              predict_linear({size}[6h], {seconds(chosen.limit_horizon)}) > {chosen.limit_bytes}
              and
              {size} offset 5h
            )
        """),
        severity=Severity.WARNING,
        lasting="30m",
        summary="The store is larger than its limit, or soon will be.",
        description="The store of the daemon at {{ $labels.instance }} is above its limit of "
        f"{chosen.limit_bytes / 1e9:g} GB, or will be in {chosen.limit_horizon}, with {{{{ $value | humanize1024 }}}}B.",
        advice="Shorten store.retention, remove the cause of the many failures, or raise the limit of this alert.",
        dashboard=Dashboard.DAEMON,
        detail=HEALTH,
    )


def _disk_filling(series: Series, thresholds: Thresholds) -> Alert:
    """A trend only after hours of data: the first minutes of a daemon say nothing about its day."""
    chosen = thresholds.store
    free = series("triaged_store_free_bytes")
    return Alert(
        name="TriagedDiskFilling",
        expr=expression(f"""
            {free} < {chosen.least_free_bytes}
            or
            (
              {free}
              and
              predict_linear({free}[6h], {seconds(chosen.free_horizon)}) < 0
              and
              {free} offset 5h
            )
        """),
        severity=Severity.WARNING,
        lasting="30m",
        summary="The disk of the store is almost full, or soon will be.",
        description="{{ $value | humanize1024 }}B are left on the disk of the store at {{ $labels.instance }}; "
        f"that is less than {chosen.least_free_bytes / 1e9:g} GB, or will be used up in {chosen.free_horizon}.",
        advice="Free some space or enlarge the disk before the store cannot be written.",
        dashboard=Dashboard.DAEMON,
        detail=HEALTH,
    )


def _clock_wrong(series: Series) -> Alert:
    """More than corrections of a clock come to; and a clock that retention does not trust."""
    return Alert(
        name="TriagedClockWrong",
        expr=expression(f"""
            {series("triaged_clock_behind_seconds")} > 60
            or
            {series("triaged_retention_waiting")} > 0
        """),
        severity=Severity.WARNING,
        lasting="5m",
        summary="The machine's clock does not fit to what is stored.",
        description="The clock of {{ $labels.instance }} is behind what is stored, or so far ahead of it that nothing is forgotten: "
        "ages, times of new records and what is due by cron may be wrong.",
        advice="Compare the machine's clock with the right time and set it; cycles at an interval and retries go on meanwhile.",
        dashboard=Dashboard.DAEMON,
        detail=HEALTH,
    )


def _series_limit(series: Series) -> Alert:
    return Alert(
        name="TriagedSourcesWithoutSeries",
        expr=f"{series('triaged_sources_without_series')} > 0",
        severity=Severity.WARNING,
        lasting="5m",
        summary="Some sources have no metrics of their own, so no alert watches them.",
        description="{{ $value }} sources of the daemon at {{ $labels.instance }} are beyond metrics.max_sources.",
        advice="Raise metrics.max_sources in the configuration, or split the sources over several daemons.",
        dashboard=Dashboard.DAEMON,
        detail="/api/pipelines",
    )


def _live_dropped(series: Series, thresholds: Thresholds) -> Alert:
    dropped = series("triaged_live_dropped_total")
    return Alert(
        name="TriagedLiveClientsDropped",
        expr=f"increase({dropped}[15m]) > {thresholds.live.dropped_more_than}",
        severity=Severity.INFO,
        summary="Live clients cannot keep up and are dropped.",
        description="{{ $value | humanize }} times within 15 minutes a client of the daemon at {{ $labels.instance }} "
        "did not take its live updates. No run is slowed by that.",
        advice="Look at the network and the proxy between browsers and the daemon.",
        dashboard=Dashboard.DAEMON,
        detail="/api/processing/current-status",
    )


WATCHDOG = Alert(
    name="TriagedWatchdog",
    expr="vector(1)",
    severity=Severity.INFO,
    summary="Alerting works.",
    description="This alert always fires. If its receiver hears nothing of it, Prometheus or Alertmanager is down.",
    advice="Nothing, as long as it fires.",
    dashboard=Dashboard.DAEMON,
    detail=HEALTH,
)
"""A dead man's switch: what has to be noticed is its end."""
