"""Panels that several dashboards have."""

from __future__ import annotations

from alerts.rule import Dashboard
from dashboards import look
from dashboards.panels import Panel, joined, stat, states, table
from dashboards.query import FIRING, each, now, rows, series


def alerts_firing() -> Panel:
    """How many alerts fire."""
    return stat(
        "Alerts firing",
        "Alerts that fire now. Silenced ones are counted, too: Prometheus does not know of silences.",
        now(f"count({FIRING}) or vector(0)"),
        thresholds=look.NONE_IS_GOOD,
    )


def alerts_over_time(about: str = "") -> Panel:
    """When which alert fired. `about` are further matchers."""
    chosen = FIRING.replace("}", f", {about}}}") if about else FIRING
    return states(
        "Alerts over time",
        "When which alert fired, and for what. Click a row for its runbook.",
        each(
            f"max by (alertname, severity, pipeline, source) ({chosen})",
            "{{alertname}} {{pipeline}} {{source}}",
        ),
        mappings=look.words({1: ("firing", look.BAD)}),
        links=[look.link("Runbook", "${runbooks}/${__field.labels.alertname}.md")],
        absent="No alert has fired",
    )


def daemon_up() -> Panel:
    """Whether every daemon answers."""
    return stat(
        "Daemon",
        "Whether Prometheus reaches every chosen daemon. Down: nothing runs, and what stands below is old.",
        now(f"min({series('up')})"),
        thresholds=look.thresholds(look.BAD, (1, look.GOOD)),
        mappings=look.words({0: ("Down", look.BAD), 1: ("Up", look.GOOD)}),
        links=[look.link("Health", "${api}/healthz")],
        absent="Down",
    )


def sources_failing_now(*chosen: str) -> Panel:
    """Sources whose latest run failed: why, how often, since when, and when they last succeeded."""
    on = "on (job, instance, pipeline, source) group_left ()"
    failing = series("triaged_source_failing", *chosen)
    in_a_row = series("triaged_source_consecutive_failures", *chosen)
    since = series("triaged_source_failing_since_timestamp_seconds", *chosen)
    success = series("triaged_source_last_success_timestamp_seconds", *chosen)
    source, pipeline = '${__data.fields["Source"]}', '${__data.fields["Pipeline"]}'
    return table(
        "Sources that fail now",
        "Sources whose latest run failed, with its category, how many runs failed in a row, since "
        "when, and when one last succeeded. Empty where none has succeeded yet.",
        rows(f"({failing} == 1) * {on} {in_a_row}"),
        rows(f"({failing} == 1) * {on} {since} * 1000"),
        rows(f"({failing} == 1) * {on} {success} * 1000"),
        transformations=joined(
            {
                "pipeline": "Pipeline",
                "source": "Source",
                "category": "Category",
                "Value #A": "Failed in a row",
                "Value #B": "Failing since",
                "Value #C": "Last success",
            }
        ),
        overrides=[
            look.when("Failing since", 150, "dateTimeFromNow"),
            look.when("Last success", 150, "dateTimeFromNow"),
            look.column("Failed in a row", custom__width=130),
            look.column(
                "Source",
                links=[
                    look.link(
                        "The source",
                        look.to_dashboard(Dashboard.SOURCES, pipeline=pipeline, source=source),
                    ),
                    look.link(
                        "Its failures",
                        look.to_dashboard(Dashboard.FAILURES, pipeline=pipeline, source=source),
                    ),
                ],
            ),
        ],
        absent="No source fails",
    )
