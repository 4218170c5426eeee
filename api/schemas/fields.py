"""Fields that several answers share, described once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from daemon.taxonomy import Category

Given = str | float | bool | list[str] | None
"""Values of a report's parameter, as a query string or a body has them."""
Timestamp = Annotated[
    datetime,
    Meta(description="When this was answered, in UTC.", examples=["2026-01-31T08:00:00Z"]),
]
RunId = Annotated[str, Meta(description="Id of the run.", examples=["20260131T075958120-3f9a2c1b"])]
Pipeline = Annotated[str, Meta(description="Name of the pipeline.", examples=["ingest"])]
Source = Annotated[str, Meta(description="Name of the source.", examples=["orders"])]
EmailAddress = Annotated[
    str | None,
    Meta(
        description="Address of the account, from the account's own record; null without one.",
        examples=["support@example.com"],
    ),
]
CategoryOrNone = Annotated[
    Category | None,
    Meta(description="What kind of failure it is; null without any.", examples=["connection"]),
]
ErrorMessage = Annotated[
    str | None,
    Meta(
        description="The error, masked and at most 2 KB; null without any.",
        examples=["[Errno 111] Connection refused"],
    ),
]
UserMessage = Annotated[
    str | None,
    Meta(
        description="What happened, for a person; null without a failure.",
        examples=["The server refused the connection."],
    ),
]
SuggestedAction = Annotated[
    str | None,
    Meta(
        description="What a person should do about it; null without a failure.",
        examples=["Check that the server is running and that host and port are right."],
    ),
]
ExceptionType = Annotated[
    str | None,
    Meta(
        description="Qualified name of the exception; null for a bare message.",
        examples=["ConnectionRefusedError"],
    ),
]
LogUrl = Annotated[
    str,
    Meta(
        description="Where the full log of the run is.",
        examples=["/api/runs/20260131T075958120-3f9a2c1b/log"],
    ),
]
RetryAt = Annotated[
    datetime | None,
    Meta(description="When it is retried by itself; null when it is not."),
]
NextCursor = Annotated[
    str | None,
    Meta(
        description="Value of `cursor` for the next page; null on the last one.",
        examples=["1769846398120000.4711"],
    ),
]


def log_url(run_id: str) -> str:
    """Where the full log of a run is."""
    return f"/api/runs/{run_id}/log"
