"""Failures: of what kind are they, does a retry help, and which ones exactly?"""

from __future__ import annotations

from typing import Any

from alerts.recording import UNKNOWN, retryable
from alerts.rule import Dashboard
from alerts.thresholds import Thresholds
from dashboards import look, rest, rest_panels
from dashboards.dashboard import dashboard
from dashboards.layout import evenly, line, row
from dashboards.panels import Panel, bars, lines, stat, text
from dashboards.query import (
    CATEGORY,
    PIPELINE,
    RETRYABLE,
    added,
    added_in_all,
    each,
    now,
    series,
    share,
    with_exemplars,
)
from dashboards.rest import Column
from dashboards.variables import (
    CATEGORIES,
    CAUSE,
    GROUPS,
    PIPELINES,
    RETRY_HELPS,
    SOURCES,
    STATUSES,
)

NEW = series("triaged_failures_total", PIPELINE, CATEGORY, RETRYABLE)
OPEN = series("triaged_failures_open", PIPELINE, CATEGORY)
RETRIED = series("triaged_retries_total", PIPELINE)
WAITING = series("triaged_retries_pending", PIPELINE)

CHOSEN = (
    "pipeline",
    "source",
    "category",
    "group",
    "retryable",
    "status",
    "failure_group",
)
"""Variables that choose failures of the REST API."""

_COUNT = Column("count", "Failures", "number")


def failures(thresholds: Thresholds) -> dict[str, Any]:
    """The dashboard."""
    return dashboard(
        Dashboard.FAILURES,
        "Failures",
        "Failures by category, group and cause, whether a retry helps, and down to the single one. "
        "Graphs from Prometheus know pipelines and categories; the other choices go to what the REST "
        "API answers.",
        thresholds.links,
        [PIPELINES, SOURCES, CATEGORIES, GROUPS, RETRY_HELPS, STATUSES, CAUSE],
        [
            row(
                "At a glance",
                evenly(
                    4,
                    _new(),
                    _open(),
                    _retry_helps(),
                    _unknown(thresholds),
                    _waiting(thresholds),
                    _retried(),
                ),
            ),
            row(
                "Which causes, and what to do",
                line(11, (24, rest_panels.causes(*CHOSEN))),
                line(12, (24, rest_panels.failures(*CHOSEN))),
                line(6, (24, _retry_help())),
            ),
            row(
                "Of what kind",
                evenly(8, _by_category(), _by_retryable(), _by_pipeline()),
                evenly(8, _by_group(), _by_source(), _by_cause()),
                evenly(
                    8, _open_by_category(), _share_retryable(thresholds), _share_unknown(thresholds)
                ),
            ),
            row("Retries", evenly(8, _retries(), _backlog(thresholds))),
        ],
        marks_of=("pipeline", "source"),
    )


def _new() -> Panel:
    return stat(
        "New",
        "Failures that were stored in the chosen time.",
        now(added_in_all(NEW)),
    )


def _open() -> Panel:
    return stat(
        "Open",
        "Failures of any age that are neither resolved nor dealt with.",
        now(f"sum({OPEN})"),
    )


def _retry_helps() -> Panel:
    helped = series("triaged_failures_total", PIPELINE, CATEGORY, 'retryable="true"')
    whole = series("triaged_failures_total", PIPELINE, CATEGORY)
    return stat(
        "A retry helps",
        "Share of the new failures that a retry can help. The others need somebody.",
        now(share(helped, whole)),
        unit="percentunit",
        absent="No failures",
    )


def _unknown(thresholds: Thresholds) -> Panel:
    unknown = series("triaged_failures_total", PIPELINE, 'category="unknown"')
    return stat(
        "Not recognised",
        "Share of the new failures that no rule recognised. `triaged unclassified` lists their messages.",
        now(share(unknown, series("triaged_failures_total", PIPELINE))),
        unit="percentunit",
        thresholds=look.thresholds(look.GOOD, (thresholds.unknown_share.above, look.NOTICE)),
        absent="No failures",
    )


def _waiting(thresholds: Thresholds) -> Panel:
    return stat(
        "Wait for a retry",
        "Items that wait for another attempt.",
        now(f"sum({WAITING})"),
        thresholds=look.thresholds(look.GOOD, (thresholds.retries.pending, look.BAD)),
    )


def _retried() -> Panel:
    succeeded = series("triaged_retries_total", PIPELINE, 'outcome="succeeded"')
    return stat(
        "Retries that worked",
        "Share of the items retried in the chosen time that succeeded.",
        now(share(succeeded, RETRIED)),
        unit="percentunit",
        absent="No retries",
    )


def _retry_help() -> Panel:
    return text(
        "How to retry",
        "How failures are retried by hand.",
        "Remove the cause first. Then retry single failures by id, a whole group, or what a filter "
        "matches; what a retry cannot help is left out unless you say otherwise:\n\n"
        "    triaged retry 4711 --url ${api}\n"
        "    triaged retry --group ${failure_group} --url ${api}\n"
        "    triaged retry --category connection --since 2h --rate 600 --url ${api}\n\n"
        "Add `--dry-run` to see what would be retried. [Retries so far](${api}/api/retries) · "
        "[the same by API](${api}/schema)",
    )


def _drill(variable: str, value: str = "") -> list[dict[str, Any]]:
    value = value or f"${{__field.labels.{variable}}}"
    return [
        look.link(
            f"Failures of {value}", look.to_dashboard(Dashboard.FAILURES, **{variable: value})
        )
    ]


def _by_category() -> Panel:
    return bars(
        "New by category",
        "Failures that were stored in each stretch of time. Click a category to see only its failures, "
        "and a dot for a run that had some.",
        with_exemplars(each(f"{added(NEW, 'category')} > 0", "{{category}}")),
        links=_drill("category"),
    )


def _by_retryable() -> Panel:
    return bars(
        "New by whether a retry helps",
        "Failures that a retry can help are tried again; the others need somebody.",
        each(added(NEW, "retryable"), "{{retryable}}"),
        links=_drill("retryable"),
        overrides=[
            look.column("true", displayName="A retry helps", color=look.fixed("blue")),
            look.column("false", displayName="Needs somebody", color=look.fixed(look.NOTICE)),
        ],
    )


def _by_pipeline() -> Panel:
    return bars(
        "New by pipeline",
        "Failures that were stored in each stretch of time.",
        each(added(NEW, "pipeline"), "{{pipeline}}"),
        links=_drill("pipeline"),
    )


def _counted(title: str, description: str, by: str, variable: str) -> Panel:
    query = rest.over_time(
        "/api/report/failures/series", _COUNT, **rest.chosen(*CHOSEN), by=by, series="10"
    )
    return bars(title, description, query, links=_drill(variable, rest.SERIES_NAME))


def _by_group() -> Panel:
    return _counted(
        "By group of categories",
        "Network, API, validation or system: on which side the cause lies.",
        "error_group",
        "group",
    )


def _by_source() -> Panel:
    return _counted(
        "By source",
        "The ten sources with the most failures, and all others. Click one to see only its failures.",
        "source",
        "source",
    )


def _by_cause() -> Panel:
    return _counted(
        "By cause",
        "The ten failure groups with the most failures, and all others. Click one to see only its failures.",
        "failure_group",
        "failure_group",
    )


def _open_by_category() -> Panel:
    return lines(
        "Open by category",
        "Failures that are open. Falling: they are resolved faster than new ones come.",
        each(f"sum by (category) ({OPEN}) > 0", "{{category}}"),
        links=_drill("category"),
    )


def _share_retryable(thresholds: Thresholds) -> Panel:
    limit = thresholds.retryable_collapsed.below
    return lines(
        "Share that a retry helps",
        "Of the failures of the last hour and of the last day. A sudden fall says that something broke "
        "that does not pass by itself.",
        each(f"{series(retryable('1h'), PIPELINE)}", "{{pipeline}}, hour"),
        each(f"{series(retryable('1d'), PIPELINE)}", "{{pipeline}}, day"),
        unit="percentunit",
        thresholds=look.thresholds(look.BAD, (limit, look.GOOD)),
        most=1,
    )


def _share_unknown(thresholds: Thresholds) -> Panel:
    return lines(
        "Share not recognised",
        "Of the failures of the last hour those that no rule recognised.",
        each(series(UNKNOWN, PIPELINE), "{{pipeline}}"),
        unit="percentunit",
        thresholds=look.thresholds(look.GOOD, (thresholds.unknown_share.above, look.NOTICE)),
        most=1,
    )


def _retries() -> Panel:
    return bars(
        "Retried items",
        "Items of runs that were started to retry something, by outcome.",
        each(added(RETRIED, "outcome"), "{{outcome}}"),
        overrides=look.OUTCOMES,
    )


def _backlog(thresholds: Thresholds) -> Panel:
    return lines(
        "Items that wait for a retry",
        "Growing without end: more fails than is tried again.",
        each(f"sum by (pipeline) ({WAITING})", "{{pipeline}}"),
        thresholds=look.thresholds(look.GOOD, (thresholds.retries.pending, look.BAD)),
    )
