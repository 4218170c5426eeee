"""Alerts about a pipeline's cycles: late, too long, stalled, skipped."""

from __future__ import annotations

from alerts.recording import CYCLE_AGE, INTERVAL
from alerts.rule import BY, Alert, Dashboard, Series, Severity, expression
from alerts.thresholds import Thresholds, seconds

STATUS = "/api/processing/current-status?include_stats=true"
RUNS = "/api/runs?pipeline={{ $labels.pipeline }}"
PIPELINE = "the pipeline {{ $labels.pipeline }}"


def cycle_alerts(thresholds: Thresholds) -> list[Alert]:
    """Alerts with the label `pipeline`."""
    series = Series(thresholds)
    return [
        _late(series, thresholds),
        _overrun(series, thresholds),
        _stalled(series, thresholds),
        _skipped(series, thresholds),
    ]


def _late(series: Series, thresholds: Thresholds) -> Alert:
    """The scheduler moves the due time on whatever becomes of a cycle: only its own standstill leaves it."""
    late = thresholds.cycles.late
    return Alert(
        name="TriagedCycleLate",
        expr=f"time() - {series('triaged_cycle_next_timestamp_seconds')} > {seconds(late)}",
        severity=Severity.CRITICAL,
        lasting="1m",
        summary="A cycle was due and did not start.",
        description=f"The next cycle of {PIPELINE} was due {{{{ $value | humanizeDuration }}}} ago and has not started.",
        advice="The scheduler stands still: look at the log and the load of the machine, then restart the daemon.",
        dashboard=Dashboard.PIPELINES,
        detail="/api/pipelines",
    )


def _overrun(series: Series, thresholds: Thresholds) -> Alert:
    chosen = thresholds.cycles
    working = series("triaged_cycle_sources", 'state=~"pending|running"')
    paused = series("triaged_pipeline_paused")
    return Alert(
        name="TriagedCycleOverrun",
        expr=expression(f"""
            (
              {CYCLE_AGE}
              > on ({BY}) group_left ()
              ({INTERVAL} * {chosen.overrun_intervals} + {seconds(chosen.overrun_slack)})
            )
            and on ({BY})
            (sum by ({BY}) ({working}) > 0)
            unless on ({BY})
            (max_over_time({paused}[{thresholds.no_success.after_pause}]) == 1)
        """),
        severity=Severity.WARNING,
        lasting="1m",
        summary="A cycle takes longer than the time between two cycles.",
        description=f"A cycle of {PIPELINE} is under way, and the one before it ended {{{{ $value | humanizeDuration }}}} "
        f"ago: more than {chosen.overrun_intervals} intervals.",
        advice="Find the source that takes long; lengthen the interval, or let more sources run at a time.",
        dashboard=Dashboard.PIPELINES,
        detail=STATUS,
    )


def _stalled(series: Series, thresholds: Thresholds) -> Alert:
    """Neither a run nor an item ended, and no progress was made, over and over."""
    chosen = thresholds.cycles
    runs = series("triaged_runs_total")
    items = series("triaged_items_total")
    progress = series("triaged_run_progress_ratio")
    return Alert(
        name="TriagedRunStalled",
        expr=expression(f"""
            {series("triaged_runs_active")} > 0
            and on ({BY})
            (sum by ({BY}) (increase({runs}[5m])) == 0)
            and on ({BY})
            (sum by ({BY}) (increase({items}[5m])) == 0)
            unless on ({BY})
            (sum by ({BY}) (changes({progress}[5m])) > 0)
        """),
        severity=Severity.CRITICAL,
        lasting=chosen.stalled,
        summary="Runs are under way, but nothing gets done.",
        description=f"{{{{ $value }}}} runs of {PIPELINE} are active, and for {chosen.stalled} none of them has ended, "
        "finished an item or made progress.",
        advice="See which source and step they stand at. A run that hangs ends only with the daemon: restart it.",
        dashboard=Dashboard.PIPELINES,
        detail="/api/processing/status",
    )


def _skipped(series: Series, thresholds: Thresholds) -> Alert:
    skipped = series("triaged_cycles_skipped_total", 'reason=~"overlap|missed"')
    return Alert(
        name="TriagedCyclesSkipped",
        expr=f"sum by ({BY}, reason) (increase({skipped}[1h])) > {thresholds.cycles.skipped_more_than}",
        severity=Severity.WARNING,
        summary="Cycles are skipped because the one before still runs, or because the daemon is too busy.",
        description=f"{{{{ $value | humanize }}}} cycles of {PIPELINE} were skipped within an hour, "
        "with the reason {{ $labels.reason }}.",
        advice="With overlap: lengthen the interval or make the cycle faster. With missed: give the machine room.",
        dashboard=Dashboard.PIPELINES,
        detail=RUNS,
    )
