"""Pipelines and cycles: do they run when they should, how long do they take, what do they get done?"""

from __future__ import annotations

from typing import Any

from alerts.recording import ITEMS_FAILED, runs_failed
from alerts.rule import Dashboard
from alerts.thresholds import Thresholds
from dashboards import look, rest_panels
from dashboards.dashboard import dashboard
from dashboards.layout import evenly, line, row
from dashboards.panels import Panel, bars, joined, levels, lines, table
from dashboards.query import (
    PIPELINE,
    added,
    each,
    now,
    per_second,
    quantile,
    rows,
    series,
    with_exemplars,
)
from dashboards.variables import PIPELINES

ENDED = series("triaged_cycle_last_completion_timestamp_seconds", PIPELINE)
INTERVAL = series("triaged_cycle_interval_seconds", PIPELINE)
PAUSED = series("triaged_pipeline_paused", PIPELINE)
DUE = series("triaged_cycle_next_timestamp_seconds", PIPELINE)
ACTIVE = series("triaged_runs_active", PIPELINE)
QUEUED = series("triaged_work_queued", PIPELINE)

BY = "job, instance, pipeline"


def pipelines(thresholds: Thresholds) -> dict[str, Any]:
    """The dashboard."""
    return dashboard(
        Dashboard.PIPELINES,
        "Pipelines & cycles",
        "Whether cycles come when they are due, how long they and their runs take, and what they get done.",
        thresholds.links,
        [PIPELINES],
        [
            row(
                "Now",
                line(8, (14, _standing()), (10, _progress())),
            ),
            row(
                "Do cycles come and end?",
                evenly(8, _since_last_cycle(), _cycles(), _skipped(thresholds)),
                evenly(8, _cycle_duration(), _cycle_sources(), _active()),
                line(10, (24, rest_panels.cycles("pipeline"))),
            ),
            row(
                "What do runs come to?",
                evenly(8, _runs(), _run_duration(), _budget(thresholds)),
                evenly(8, _items(), _items_failed(thresholds), _rows()),
                line(12, (24, rest_panels.runs("pipeline"))),
            ),
        ],
        marks_of=("pipeline",),
    )


def _standing() -> Panel:
    return table(
        "Pipelines as they stand now",
        "How often each pipeline runs, when its last cycle ended, when the next is due, whether somebody "
        "paused it, and how many runs are under way. Due in the past: it is late.",
        rows(f"max by ({BY}) ({INTERVAL})"),
        rows(f"max by ({BY}) ({ENDED} > 0) * 1000"),
        rows(f"max by ({BY}) ({DUE}) * 1000"),
        rows(f"max by ({BY}) ({PAUSED})"),
        rows(f"max by ({BY}) ({ACTIVE})"),
        transformations=joined(
            {
                "instance": "Daemon",
                "pipeline": "Pipeline",
                "Value #A": "Interval",
                "Value #B": "Last cycle ended",
                "Value #C": "Next cycle due",
                "Value #D": "Paused",
                "Value #E": "Active runs",
            }
        ),
        overrides=[
            look.column(
                "Interval", unit="s", mappings=look.words({0: ("on demand", look.NEUTRAL)})
            ),
            look.column("Last cycle ended", unit="dateTimeFromNow"),
            look.column("Next cycle due", unit="dateTimeFromNow"),
            look.column(
                "Paused",
                mappings=look.words({0: ("no", look.NEUTRAL), 1: ("paused", look.NOTICE)}),
                custom__cellOptions={"type": "color-text"},
            ),
        ],
    )


def _progress() -> Panel:
    return levels(
        "Active runs",
        "How far each active run is that says so.",
        now(series("triaged_run_progress_ratio", PIPELINE), "{{pipeline}} / {{source}}"),
        unit="percentunit",
        most=1,
        absent="No run is active",
    )


def _since_last_cycle() -> Panel:
    ended = f"max by (pipeline) ({ENDED} > 0)"
    return lines(
        "Since the last cycle ended",
        "A saw whose teeth are as high as the interval, or less. A line that only rises: no cycle ends.",
        each(f"time() - {ended}", "{{pipeline}}"),
        unit="s",
    )


def _cycles() -> Panel:
    return bars(
        "Cycles that ended",
        "Cycles that ended in each stretch of time, by outcome.",
        each(added(series("triaged_cycles_total", PIPELINE), "outcome"), "{{outcome}}"),
        overrides=look.OUTCOMES,
    )


def _skipped(thresholds: Thresholds) -> Panel:
    skipped = series("triaged_cycles_skipped_total", PIPELINE)
    limit = thresholds.cycles.skipped_more_than
    return lines(
        "Skipped cycles in an hour",
        "Cycles that were due and did not run: the one before still ran (overlap), the daemon was too "
        f"busy or asleep (missed), or somebody paused the pipeline. More than {limit} by the first two "
        "raise an alert.",
        each(f"sum by (pipeline, reason) (increase({skipped}[1h]))", "{{pipeline}}, {{reason}}"),
        thresholds=look.thresholds(look.GOOD, (limit, look.NOTICE)),
    )


def _cycle_duration() -> Panel:
    buckets = series("triaged_cycle_duration_seconds_bucket", PIPELINE)
    return lines(
        "How long cycles take",
        "95 of 100 cycles took no longer. The dotted interval of the pipeline should stay above.",
        each(quantile(0.95, buckets, "pipeline"), "{{pipeline}}"),
        each(f"max by (pipeline) ({INTERVAL} > 0)", "{{pipeline}}, interval"),
        unit="s",
        overrides=[
            {
                "matcher": {"id": "byRegexp", "options": ".*, interval"},
                "properties": [
                    {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [2, 6]}},
                    {"id": "custom.fillOpacity", "value": 0},
                ],
            }
        ],
    )


def _cycle_sources() -> Panel:
    return lines(
        "Sources of the current cycle",
        "Sources of the current or latest cycle: how many wait, run, are done, or failed.",
        each(f"sum by (state) ({series('triaged_cycle_sources', PIPELINE)})", "{{state}}"),
        overrides=look.OUTCOMES,
    )


def _active() -> Panel:
    return lines(
        "Active and waiting runs over time",
        "Runs under way, and runs that wait for their turn. Never zero while nothing ends: they hang. Waiting for "
        "long: `concurrency` is too low.",
        each(f"sum by (pipeline) ({ACTIVE})", "{{pipeline}}"),
        each(f"sum by (pipeline) ({QUEUED})", "{{pipeline}}, waiting"),
    )


def _runs() -> Panel:
    return bars(
        "Runs that ended",
        "Runs that ended in each stretch of time, by status. A dot leads to one of them.",
        with_exemplars(each(added(series("triaged_runs_total", PIPELINE), "status"), "{{status}}")),
        overrides=look.OUTCOMES,
    )


def _run_duration() -> Panel:
    buckets = series("triaged_run_duration_seconds_bucket", PIPELINE)
    return lines(
        "How long runs take",
        "Half of the runs took no longer, and 95 of 100. A dot leads to one of them.",
        each(quantile(0.5, buckets, "pipeline"), "{{pipeline}}, half"),
        with_exemplars(each(quantile(0.95, buckets, "pipeline"), "{{pipeline}}, 95 of 100")),
        unit="s",
    )


def _budget(thresholds: Thresholds) -> Panel:
    spent = round(1 - thresholds.error_budget.objective, 6)
    return lines(
        "Share of runs that fail",
        f"Over an hour and over six. Above {spent:.3g} the error budget is spent faster than it fills.",
        each(series(runs_failed("1h"), PIPELINE), "{{pipeline}}, 1 h"),
        each(series(runs_failed("6h"), PIPELINE), "{{pipeline}}, 6 h"),
        unit="percentunit",
        thresholds=look.thresholds(look.GOOD, (spent, look.NOTICE)),
    )


def _items() -> Panel:
    items = series("triaged_items_total", PIPELINE)
    return lines(
        "Items per second",
        "Messages, files and other items that runs worked through, by outcome.",
        each(per_second(items, "outcome"), "{{outcome}}"),
        unit="cps",
        overrides=look.OUTCOMES,
    )


def _items_failed(thresholds: Thresholds) -> Panel:
    return lines(
        "Share of items that fail",
        "Over the last hour. Skipped items do not count.",
        each(series(ITEMS_FAILED, PIPELINE), "{{pipeline}}"),
        unit="percentunit",
        thresholds=look.thresholds(look.GOOD, (thresholds.items_failed.ratio, look.NOTICE)),
        most=1,
    )


def _rows() -> Panel:
    return lines(
        "Rows per second",
        "Rows of files that were loaded or rejected.",
        each(per_second(series("triaged_rows_total", PIPELINE), "outcome"), "{{outcome}}"),
        unit="cps",
        overrides=look.OUTCOMES,
    )
