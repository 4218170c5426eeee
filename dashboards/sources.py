"""Sources: which mail accounts and others fail, since when, and what do they wait for?"""

from __future__ import annotations

from typing import Any

from alerts.rule import Dashboard
from alerts.thresholds import Thresholds
from daemon.taxonomy import Category
from dashboards import look, rest, rest_panels, shared
from dashboards.dashboard import dashboard
from dashboards.layout import evenly, line, row
from dashboards.panels import Panel, bars, levels, lines, stat, states
from dashboards.query import PIPELINE, SOURCE, each, now, series, those_with_most
from dashboards.rest import Column
from dashboards.variables import PIPELINES, SOURCES

CHOSEN = (PIPELINE, SOURCE)
IN_A_ROW = series("triaged_source_consecutive_failures", *CHOSEN)
FAILING = series("triaged_source_failing", *CHOSEN)
SINCE = series("triaged_source_failing_since_timestamp_seconds", *CHOSEN)
OPEN = series("triaged_source_failures_open", *CHOSEN)
OPEN_SINCE = series("triaged_source_open_since_timestamp_seconds", *CHOSEN)
WORKED = series("triaged_source_last_worked_timestamp_seconds", *CHOSEN)
SUCCEEDED = series("triaged_source_last_success_timestamp_seconds", *CHOSEN)


def sources(thresholds: Thresholds) -> dict[str, Any]:
    """The dashboard."""
    return dashboard(
        Dashboard.SOURCES,
        "Sources",
        "Mail accounts and other sources: which fail and why, since when, and how often in a row. "
        "Choose one to see only it.",
        thresholds.links,
        [PIPELINES, SOURCES],
        [
            row(
                "Now",
                evenly(
                    4,
                    _known(),
                    _failing(),
                    _open(),
                    _refused(),
                    _never(),
                    _waiting(),
                    _unseen(),
                    _left_behind(),
                ),
                line(9, (14, shared.sources_failing_now(*CHOSEN)), (10, _progress())),
                line(11, (24, rest_panels.sources("pipeline", "source"))),
            ),
            row(
                "Since when",
                line(
                    9,
                    (12, _states()),
                    (12, shared.alerts_over_time(", ".join((*CHOSEN, 'source!=""')))),
                ),
                evenly(8, _open_over_time(), _open_for(thresholds), _failing_for()),
                evenly(8, _in_a_row(thresholds), _since_success(), _since_worked(thresholds)),
                evenly(8, _left_out()),
            ),
            row(
                "What its runs come to",
                evenly(8, _runs(), _durations(), _items()),
                line(11, (24, rest_panels.runs("pipeline", "source"))),
                line(11, (24, rest_panels.failures("pipeline", "source", limit=100))),
            ),
        ],
        marks_of=("pipeline", "source"),
    )


def _known() -> Panel:
    return stat("Sources", "Sources that have series of their own.", now(f"count({IN_A_ROW})"))


def _failing() -> Panel:
    return stat(
        "Failing",
        "Sources whose latest run failed, or of which failures are open.",
        now(f"sum({IN_A_ROW} > bool 0)"),
        thresholds=look.thresholds(look.GOOD, (1, look.NOTICE)),
    )


def _open() -> Panel:
    return stat(
        "Open failures",
        "Open failures of these sources, without those of groups that a person ignored or resolved.",
        now(f"sum({OPEN})"),
        thresholds=look.thresholds(look.GOOD, (1, look.NOTICE)),
    )


def _refused() -> Panel:
    refused = series("triaged_source_failing", *CHOSEN, f'category="{Category.AUTHENTICATION}"')
    return stat(
        "Credentials refused",
        "Sources whose credentials are refused. They are not tried again by themselves.",
        now(f"sum({refused}) or sum({IN_A_ROW} * 0)"),
        thresholds=look.NONE_IS_GOOD,
    )


def _never() -> Panel:
    return stat(
        "No success yet",
        "Sources of which no run ever succeeded, as far as the store remembers.",
        now(
            f"count({IN_A_ROW} unless on (job, instance, pipeline, source) {SUCCEEDED}) or count({IN_A_ROW}) * 0"
        ),
        thresholds=look.thresholds(look.GOOD, (1, look.NOTICE)),
    )


def _waiting() -> Panel:
    waiting = series("triaged_cycle_sources", PIPELINE, 'state="pending"')
    return stat(
        "Waiting",
        "Sources of the current cycle whose turn has not come yet. Known by pipeline only.",
        now(f"sum({waiting})"),
    )


def _unseen() -> Panel:
    return stat(
        "Without series",
        "Sources beyond `metrics.max_sources`: they run, but no graph and no alert sees them. The table "
        "below has them.",
        now(f"sum({series('triaged_sources_without_series')})"),
        thresholds=look.NONE_IS_GOOD,
    )


def _left_behind() -> Panel:
    return stat(
        "Left behind",
        "Open failures of sources that are switched off or gone. No cycle runs these, so nothing resolves them.",
        now(f"sum({series('triaged_failures_left_behind')})"),
        thresholds=look.thresholds(look.GOOD, (1, look.NOTICE)),
        links=[look.link("Failures", look.to_dashboard(Dashboard.FAILURES))],
    )


def _progress() -> Panel:
    return levels(
        "Active now",
        "How far each active run is that says so.",
        now(series("triaged_run_progress_ratio", *CHOSEN), "{{pipeline}} / {{source}}"),
        unit="percentunit",
        most=1,
        absent="No run is active",
    )


def _states() -> Panel:
    return states(
        "Failing with which category",
        "When a source failed, and with which category: its latest run had, or failures of it were open. Click for "
        "the failures.",
        each(f"max by (pipeline, source, category) ({FAILING})", "{{source}}: {{category}}"),
        mappings=look.words({0: ("works", look.GOOD), 1: ("fails", look.BAD)}),
        links=[
            look.link(
                "Failures",
                look.to_dashboard(
                    Dashboard.FAILURES,
                    pipeline="${__field.labels.pipeline}",
                    source="${__field.labels.source}",
                    category="${__field.labels.category}",
                ),
            )
        ],
        absent="No source has failed since the daemon started",
    )


def _in_a_row(thresholds: Thresholds) -> Panel:
    limit = thresholds.source_failing.consecutive
    return lines(
        "Runs that failed in a row",
        f"Zero is good, 1 that failures are open; the 20 sources with most. From {limit} on an alert fires; refused credentials raise it at once, missing "
        f"rights, names and settings from {thresholds.source_blocked.consecutive} on.",
        each(
            those_with_most(IN_A_ROW, f"max_over_time({IN_A_ROW}[$__range] @ end()) > 0"),
            "{{pipeline}} / {{source}}",
        ),
        thresholds=look.thresholds(look.GOOD, (limit, look.BAD)),
    )


def _failing_for() -> Panel:
    return lines(
        "Failing for",
        "How long ago the first of the runs that failed in a row ended: the 20 sources that have failed "
        "longest. A source whose runs work, be it in part, has no line.",
        each(
            those_with_most(f"(time() - {SINCE})", f"-({SINCE} @ end())"),
            "{{pipeline}} / {{source}}",
        ),
        unit="s",
    )


def _open_over_time() -> Panel:
    return lines(
        "Open failures by source",
        "The 20 sources with most. Runs may skip what is known to be broken: it stays open until it works, or a "
        "person decides about it.",
        each(
            those_with_most(OPEN, f"max_over_time({OPEN}[$__range] @ end()) > 0"),
            "{{pipeline}} / {{source}}",
        ),
    )


def _left_out() -> Panel:
    skipped = series("triaged_source_cycles_skipped_total", *CHOSEN)
    return lines(
        "Cycles without the source in an hour",
        "Due cycles that began without a source, because its run of the one before was not over. The others went on.",
        each(
            f"sum by (pipeline, source) (increase({skipped}[1h]))",
            "{{pipeline}} / {{source}}",
        ),
    )


def _open_for(thresholds: Thresholds) -> Panel:
    chosen = thresholds.failures_open
    return lines(
        "Open for",
        "How long ago the oldest open failure of each source and category occurred, the 20 oldest. More than "
        f"{chosen.after} raises an alert; of what often passes by itself more than {chosen.passing_after}.",
        each(
            those_with_most(f"(time() - {OPEN_SINCE})", f"-({OPEN_SINCE} @ end())"),
            "{{pipeline}} / {{source}}: {{category}}",
        ),
        unit="s",
    )


def _since_worked(thresholds: Thresholds) -> Panel:
    intervals = thresholds.no_success.intervals
    return lines(
        "Since a run last worked",
        "How long ago a run last succeeded, be it in part: the 20 sources for which it is longest. More than "
        f"{intervals} intervals of its cycles raise an alert.",
        each(
            those_with_most(f"(time() - {WORKED})", f"-({WORKED} @ end())"),
            "{{pipeline}} / {{source}}",
        ),
        unit="s",
    )


def _since_success() -> Panel:
    return lines(
        "Since the last success",
        "How long ago a run last succeeded and left no failure open: the 20 sources for which it is longest.",
        each(
            those_with_most(f"(time() - {SUCCEEDED})", f"-({SUCCEEDED} @ end())"),
            "{{pipeline}} / {{source}}",
        ),
        unit="s",
    )


def _series(title: str, description: str, path: str, figure: Column, by: str, unit: str) -> Panel:
    query = rest.over_time(path, figure, **rest.chosen("pipeline", "source"), by=by)
    if unit == "s":
        return lines(title, description, query, unit=unit)
    return bars(title, description, query, overrides=look.OUTCOMES)


def _runs() -> Panel:
    return _series(
        "Runs by status",
        "Runs that began in each stretch of time, from the REST API, which knows them by source.",
        "/api/report/runs/series",
        Column("count", "Runs", "number"),
        "status",
        "short",
    )


def _durations() -> Panel:
    return _series(
        "How long its runs take",
        "95 of 100 runs that began in each stretch of time took no longer.",
        "/api/report/runs/series",
        Column("p95_seconds", "Seconds", "number"),
        "source",
        "s",
    )


def _items() -> Panel:
    return _series(
        "Items by outcome",
        "Items of the runs that began in each stretch of time.",
        "/api/report/items/series",
        Column("count", "Items", "number"),
        "",
        "short",
    )
