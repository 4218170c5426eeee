"""Overview: is it healthy, what fails, and since when?"""

from __future__ import annotations

from typing import Any

from alerts.rule import Dashboard
from alerts.thresholds import Thresholds
from daemon.taxonomy import Category
from dashboards import look, rest_panels, shared
from dashboards.dashboard import dashboard
from dashboards.layout import evenly, line, row
from dashboards.panels import Panel, bars, lines, stat, states
from dashboards.query import (
    PIPELINE,
    added,
    added_in_all,
    each,
    now,
    series,
    share,
    those_with_most,
    with_exemplars,
)
from dashboards.variables import PIPELINES

FAILING_RUNS = series("triaged_source_consecutive_failures", PIPELINE)
RUNS = series("triaged_runs_total", PIPELINE)
RUNS_FAILED = series("triaged_runs_total", PIPELINE, 'status="failed"')


def overview(thresholds: Thresholds) -> dict[str, Any]:
    """The dashboard."""
    return dashboard(
        Dashboard.OVERVIEW,
        "Overview",
        "Is it healthy, what fails, and since when? Red at the top says that somebody has to look; "
        "the tables below say at what.",
        thresholds.links,
        [PIPELINES],
        [
            row(
                "Is it healthy?",
                evenly(
                    4,
                    shared.daemon_up(),
                    shared.alerts_firing(),
                    _sources_failing(),
                    _authentication_failing(),
                    _runs_failed(thresholds),
                    _open_failures(),
                    _last_cycle(),
                    _store_errors(),
                ),
            ),
            row(
                "What fails, and since when?",
                line(
                    9, (14, shared.sources_failing_now(PIPELINE)), (10, shared.alerts_over_time())
                ),
                line(10, (24, rest_panels.causes_now("pipeline"))),
                evenly(8, _failures_by_category(), _sources_over_time()),
            ),
            row("Is work getting done?", evenly(8, _runs(), _items(), _open_over_time())),
        ],
        marks_of=("pipeline",),
    )


def _sources_failing() -> Panel:
    return stat(
        "Sources failing",
        "Sources whose latest run failed, or of which failures are open.",
        now(f"sum({FAILING_RUNS} > bool 0)"),
        thresholds=look.thresholds(look.GOOD, (1, look.NOTICE)),
        links=[look.link("Sources", look.to_dashboard(Dashboard.SOURCES))],
    )


def _authentication_failing() -> Panel:
    refused = series("triaged_source_failing", PIPELINE, f'category="{Category.AUTHENTICATION}"')
    return stat(
        "Credentials refused",
        "Sources whose credentials are refused. They are not tried again by themselves.",
        now(f"sum({refused}) or sum({FAILING_RUNS} * 0)"),
        thresholds=look.NONE_IS_GOOD,
        links=[look.link("Sources", look.to_dashboard(Dashboard.SOURCES))],
    )


def _runs_failed(thresholds: Thresholds) -> Panel:
    spent = 1 - thresholds.error_budget.objective
    return stat(
        "Runs failed",
        f"Share of the runs of the chosen time that failed as a whole. More than {spent:.3g} in the long "
        "run spends the error budget.",
        now(share(RUNS_FAILED, RUNS)),
        unit="percentunit",
        thresholds=look.thresholds(look.GOOD, (round(spent, 6), look.NOTICE)),
        absent="No runs",
    )


def _open_failures() -> Panel:
    return stat(
        "Open failures",
        "Failures of any age that are neither resolved nor dealt with.",
        now(f"sum({series('triaged_failures_open', PIPELINE)})"),
        links=[look.link("Failures", look.to_dashboard(Dashboard.FAILURES))],
    )


def _last_cycle() -> Panel:
    ended = series("triaged_cycle_last_completion_timestamp_seconds", PIPELINE)
    return stat(
        "Last cycle ended",
        "When a cycle of any chosen pipeline last ended.",
        now(f"max({ended} > 0) * 1000"),
        unit="dateTimeFromNow",
        links=[look.link("Pipelines", look.to_dashboard(Dashboard.PIPELINES))],
        absent="Never",
    )


def _store_errors() -> Panel:
    return stat(
        "Failed writes",
        "Attempts to write the store that failed in the chosen time. What waits is kept in memory.",
        now(added_in_all(series("triaged_store_errors_total"))),
        thresholds=look.NONE_IS_GOOD,
        links=[look.link("Daemon", look.to_dashboard(Dashboard.DAEMON))],
    )


def _failures_by_category() -> Panel:
    new = series("triaged_failures_total", PIPELINE)
    return bars(
        "New failures by category",
        "Failures that were stored in each stretch of time. Click a category for its failures, and a "
        "dot for a run that had some.",
        with_exemplars(each(f"{added(new, 'category')} > 0", "{{category}}")),
        links=[
            look.link(
                "Failures of ${__field.labels.category}",
                look.to_dashboard(Dashboard.FAILURES, category="${__field.labels.category}"),
            )
        ],
    )


def _sources_over_time() -> Panel:
    return states(
        "Sources failing over time",
        "When the latest run of a source had failed, or failures of it were open. Only sources that failed in this "
        "time, at most 20.",
        each(
            those_with_most(
                f"max by (pipeline, source) ({FAILING_RUNS} > bool 0)",
                f"max by (pipeline, source) (max_over_time({FAILING_RUNS}[$__range] @ end())) > 0",
            ),
            "{{pipeline}} / {{source}}",
        ),
        mappings=look.words({0: ("works", look.GOOD), 1: ("fails", look.BAD)}),
        links=[
            look.link(
                "${__field.labels.source}",
                look.to_dashboard(
                    Dashboard.SOURCES,
                    pipeline="${__field.labels.pipeline}",
                    source="${__field.labels.source}",
                ),
            )
        ],
        absent="No source has failed",
    )


def _runs() -> Panel:
    return bars(
        "Runs",
        "Runs that ended in each stretch of time, by status.",
        each(added(RUNS, "status"), "{{status}}"),
        overrides=look.OUTCOMES,
    )


def _items() -> Panel:
    return bars(
        "Items",
        "Items of runs in each stretch of time, by outcome: messages, rows, files.",
        each(added(series("triaged_items_total", PIPELINE), "outcome"), "{{outcome}}"),
        overrides=look.OUTCOMES,
    )


def _open_over_time() -> Panel:
    return lines(
        "Open failures over time",
        "Failures that are open, by pipeline. Falling: they are resolved faster than new ones come.",
        each(f"sum by (pipeline) ({series('triaged_failures_open', PIPELINE)})", "{{pipeline}}"),
    )
