"""Under which headings the OpenAPI document lists the operations."""

from __future__ import annotations

from litestar.openapi.spec import Tag

TAGS = [
    Tag("processing", "What runs now, what ran lately, and what it came to."),
    Tag("runs", "Runs, one by one, with their logs."),
    Tag("failures", "What failed, why, and what to do about it."),
    Tag("failure groups", "Failures with the same cause, and what people decide about them."),
    Tag("retries", "Failures that are tried again because somebody asked for it."),
    Tag("ingestions", "Files that go into tables, and their rejected rows."),
    Tag("accounts", "Mail accounts."),
    Tag("pipelines", "What runs when; pause, resume and run now."),
    Tag("reports", "Flat lists and series for dashboards."),
    Tag("grafana", "What Grafana's JSON data sources ask."),
    Tag("audit", "Who did what, or was refused."),
    Tag("daemon", "The daemon itself: health, metrics, the page, tokens for sockets."),
]

_BY_PATH = {
    "/api/failures/groups": "failure groups",
    "/api/failures": "failures",
    "/api/processing/failures": "failures",
    "/api/export/failures": "failures",
    "/api/export/audit": "audit",
    "/api/export/store": "daemon",
    "/api/report": "reports",
    "/grafana": "grafana",
    "/healthz": "daemon",
    "/readyz": "daemon",
    "/metrics": "daemon",
    "/api/token": "daemon",
}
"""The first beginning of a path decides; others have the name that follows `/api/`."""


def tags_of(path: str) -> list[str]:
    """The heading of what is at a path; none for a path within a controller, which has its own."""
    found = next((tag for start, tag in _BY_PATH.items() if path.startswith(start)), None)
    if found is None and path.startswith("/api/"):
        found = path.split("/")[2]
    return [found] if found else []
