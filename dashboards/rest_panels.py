"""Tables of the REST API, which several dashboards have."""

from __future__ import annotations

from alerts.rule import Dashboard
from dashboards import look, rest
from dashboards.panels import Panel, table
from dashboards.rest import CHOSEN_TIME, Column, chosen

_GROUP_DETAIL = '${api}/api/failures/groups/${__data.fields["Group"]}'
_GROUP_DRILL = look.to_dashboard(
    Dashboard.FAILURES, failure_group='${__data.fields["Group"]}', status="$__all"
)


def causes_now(*variables: str) -> Panel:
    """Causes of all that is open, whenever it began."""
    return _causes(
        "What fails, since when, and what to do",
        "Failures that are open or wait for a retry, by cause, most first, whatever time is chosen: the "
        "first says since when. Click a group for its failures.",
        chosen(*variables) | {"status": "open,retrying", "limit": "20"},
        absent="Nothing is open",
    )


def causes(*variables: str) -> Panel:
    """Causes of the failures of the chosen time."""
    return _causes(
        "Causes, and what to do",
        "Failures of the chosen time with the same cause together, most open ones first. First and last "
        "are those of the chosen time. Click a group for its failures.",
        CHOSEN_TIME | chosen(*variables) | {"limit": "50"},
        absent="Nothing has failed in this time",
    )


def _causes(title: str, description: str, parameters: dict[str, str], absent: str) -> Panel:
    columns = (
        Column("open", "Open", "number"),
        Column("count", "Failures", "number"),
        Column("pipeline", "Pipeline"),
        Column("sources", "Sources"),
        Column("error_category", "Category"),
        Column("user_message", "What happened"),
        Column("suggested_action", "What to do"),
        Column("is_retryable", "Retry helps", "boolean"),
        Column("first_seen", "First", "timestamp"),
        Column("last_seen", "Last", "timestamp"),
        Column("state", "State"),
        Column("failure_group", "Group"),
    )
    links = [
        look.link("Its failures, and how to retry them", _GROUP_DRILL),
        look.link("Group in detail", _GROUP_DETAIL),
    ]
    return table(
        title,
        description,
        rest.table("/api/report/groups", *columns, **parameters),
        overrides=[
            look.column("Open", custom__width=70),
            look.column("Failures", custom__width=80),
            look.column("Pipeline", custom__width=100),
            look.wide("Sources", 140),
            look.column("Category", custom__width=140),
            look.wide("What happened", 300),
            look.wide("What to do", 320),
            look.badge("Retry helps", 95),
            look.when("First"),
            look.when("Last"),
            look.badge("State", 100),
            look.column("Group", custom__width=150, links=links),
        ],
        absent=absent,
    )


def failures(*variables: str, limit: int = 200) -> Panel:
    """Single failures, newest first."""
    columns = (
        Column("error_time", "Time", "timestamp"),
        Column("pipeline", "Pipeline"),
        Column("source", "Source"),
        Column("item", "Item"),
        Column("error_category", "Category"),
        Column("error_group", "Kind"),
        Column("is_retryable", "Retry helps", "boolean"),
        Column("status", "Status"),
        Column("attempt", "Attempt", "number"),
        Column("user_message", "What happened"),
        Column("suggested_action", "What to do"),
        Column("error_message", "Error"),
        Column("retry_at", "Retried at", "timestamp"),
        Column("id", "Id", "number"),
        Column("run_id", "Run"),
        Column("failure_group", "Group"),
    )
    return table(
        "Failures",
        f"The newest {limit} failures that match, as the REST API has them. Click an id for all of "
        "it, a run for its log, a group for the others with the same cause.",
        rest.table(
            "/api/report/failures", *columns, **CHOSEN_TIME, **chosen(*variables), limit=str(limit)
        ),
        overrides=[
            look.when("Time"),
            look.column("Pipeline", custom__width=100),
            look.column("Source", custom__width=110),
            look.wide("Item", 140),
            look.column("Category", custom__width=140),
            look.column("Kind", custom__width=90),
            look.badge("Retry helps", 95),
            look.badge("Status", 95),
            look.column("Attempt", custom__width=75),
            look.wide("What happened", 280),
            look.wide("What to do", 300),
            look.wide("Error", 320),
            look.when("Retried at"),
            look.column(
                "Id",
                custom__width=80,
                unit="string",
                links=[look.link("Failure", '${api}/api/failures/${__data.fields["Id"]}')],
            ),
            look.column(
                "Run",
                custom__width=150,
                links=[look.link("Log", '${api}/api/runs/${__data.fields["Run"]}/log')],
            ),
            look.column(
                "Group",
                custom__width=150,
                links=[
                    look.link("The others with this cause, and how to retry them", _GROUP_DRILL),
                    look.link("Group in detail", _GROUP_DETAIL),
                ],
            ),
        ],
        absent="Nothing has failed in this time",
    )


def runs(*variables: str, limit: int = 100) -> Panel:
    """Runs, newest first."""
    columns = (
        Column("start_time", "Began", "timestamp"),
        Column("pipeline", "Pipeline"),
        Column("source", "Source"),
        Column("status", "Status"),
        Column("duration_seconds", "Duration", "number"),
        Column("items_succeeded", "Succeeded", "number"),
        Column("items_failed", "Failed", "number"),
        Column("items_skipped", "Skipped", "number"),
        Column("error_category", "Category"),
        Column("user_message", "What happened"),
        Column("suggested_action", "What to do"),
        Column("trigger", "Started by"),
        Column("run_id", "Run"),
    )
    log = look.link("Log", '${api}/api/runs/${__data.fields["Run"]}/log')
    return table(
        "Runs",
        f"The newest {limit} runs that began in the chosen time, those under way included.",
        rest.table(
            "/api/report/runs", *columns, **CHOSEN_TIME, **chosen(*variables), limit=str(limit)
        ),
        overrides=[
            look.when("Began"),
            look.badge("Status", 100),
            look.column("Duration", unit="s", custom__width=90),
            look.wide("What happened", 280),
            look.wide("What to do", 300),
            look.column("Run", links=[log], custom__width=240),
        ],
        absent="No run has begun in this time",
    )


def cycles(*variables: str, limit: int = 100) -> Panel:
    """Cycles, newest first."""
    columns = (
        Column("start_time", "Began", "timestamp"),
        Column("pipeline", "Pipeline"),
        Column("outcome", "Outcome"),
        Column("duration_seconds", "Duration", "number"),
        Column("runs", "Runs", "number"),
        Column("runs_failed", "Runs failed", "number"),
        Column("items_failed", "Items failed", "number"),
        Column("trigger", "Started by"),
    )
    return table(
        "Cycles",
        f"The newest {limit} cycles that began in the chosen time.",
        rest.table(
            "/api/report/cycles", *columns, **CHOSEN_TIME, **chosen(*variables), limit=str(limit)
        ),
        overrides=[
            look.when("Began"),
            look.badge("Outcome", 100),
            look.column("Duration", unit="s", custom__width=90),
        ],
        absent="No cycle has begun in this time",
    )


def sources(*variables: str) -> Panel:
    """How each source stands."""
    columns = (
        Column("pipeline", "Pipeline"),
        Column("source", "Source"),
        Column("enabled", "Enabled", "boolean"),
        Column("last_status", "Latest run"),
        Column("failing_category", "Fails with"),
        Column("consecutive_failures", "In a row", "number"),
        Column("last_success_at", "Last success", "timestamp"),
        Column("last_run_at", "Last run", "timestamp"),
        Column("open_failures", "Open failures", "number"),
        Column("email_address", "Address"),
    )
    source, pipeline = '${__data.fields["Source"]}', '${__data.fields["Pipeline"]}'
    links = [
        look.link(
            "Its failures", look.to_dashboard(Dashboard.FAILURES, pipeline=pipeline, source=source)
        ),
        look.link("Its runs", f"${{api}}/api/runs?pipeline={pipeline}&source={source}"),
    ]
    return table(
        "Sources as they stand now",
        "Every source that is configured, or of which something is stored, whatever time is chosen.",
        rest.table("/api/report/sources", *columns, **chosen(*variables), limit="1000"),
        overrides=[
            look.badge("Latest run", 110),
            look.when("Last success"),
            look.when("Last run"),
            look.column("Source", links=links),
        ],
        absent="No source is configured",
    )
