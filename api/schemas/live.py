"""Messages of the socket at `/ws/status`, both ways."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from api.schemas.failures import FailureDetail
from api.schemas.runs import RunDetail
from api.schemas.standing import FailingSource
from api.schemas.statistics import Statistics
from api.schemas.status import CurrentRun

MOST_RUNS = 50
USUAL_RUNS = 10


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every message of the server has besides its `type` and `data`."""

    timestamp: Annotated[
        datetime, Meta(description="When the message was made, in UTC; the same as `server_time`.")
    ]
    server_time: Annotated[
        datetime,
        Meta(
            description="The server's clock when the message was made, in UTC.",
            examples=["2026-01-31T08:00:00.25Z"],
        ),
    ]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What goes on, what ended lately, and whether anything failed."""

    current_processing: Annotated[
        CurrentRun | None,
        Meta(description="The most recently updated of the active runs; null when none is."),
    ]
    active: Annotated[
        list[CurrentRun], Meta(description="All active runs, most recently updated first.")
    ]
    recent_runs: Annotated[
        list[RunDetail],
        Meta(
            description="The five runs that ended last, newest first. Runs that had nothing to do leave the others room."
        ),
    ]
    statistics: Annotated[
        Statistics | None,
        Meta(
            description="What the runs of the last 24 hours came to, at most five seconds old; null "
            "while the store cannot be read."
        ),
    ]
    client_count: Annotated[int, Meta(description="Sockets that follow the status.", examples=[2])]
    has_failures: Annotated[
        bool | None,
        Meta(description="Whether any failure is open; null while the store cannot be read."),
    ]
    failure_count: Annotated[
        int | None,
        Meta(
            description="Failures that are open, of any age; null while the store cannot be read.",
            examples=[3],
        ),
    ]
    most_recent_failure: Annotated[
        FailureDetail | None, Meta(description="The newest of all failures; null without any.")
    ]
    failing_sources: Annotated[
        int | None,
        Meta(
            description="Sources that fail: failures of them are open, whatever their latest run did; null while the "
            "store cannot be read.",
            examples=[1],
        ),
    ]
    failing: Annotated[
        list[FailingSource],
        Meta(description="The 50 of them that have failed longest, these first."),
    ]


class StatusUpdate(Message, frozen=True, kw_only=True, tag="status_update"):
    """The whole status: on connect, on change, and as a sign of life at least every two seconds."""

    data: Status


class NewFailures(msgspec.Struct, frozen=True, kw_only=True):
    """Failures that were stored since the last message of this kind on the same socket."""

    count: Annotated[
        int, Meta(description="How many, also those that are not listed.", ge=1, examples=[1])
    ]
    failures: Annotated[
        list[FailureDetail], Meta(description="The newest of them, newest first, at most ten.")
    ]


class FailureNotice(Message, frozen=True, kw_only=True, tag="failure"):
    """New failures. The counts of all these messages add up to the failures since the connect."""

    data: NewFailures


class RecentRunsList(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that ended."""

    recent_runs: Annotated[list[RunDetail], Meta(description="Newest first.")]


class RecentRuns(Message, frozen=True, kw_only=True, tag="recent_runs"):
    """The answer to `get_recent_runs`."""

    data: RecentRunsList


class Empty(msgspec.Struct, frozen=True):
    """Nothing."""


class Pong(Message, frozen=True, kw_only=True, tag="pong"):
    """The answer to `ping`."""

    data: Empty


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """What was wrong with a message."""

    message: Annotated[
        str,
        Meta(
            description="What was wrong, for a person.",
            examples=["expected a message of type get_recent_runs or ping"],
        ),
    ]


class ErrorMessage(Message, frozen=True, kw_only=True, tag="error"):
    """The answer to a message that cannot be answered otherwise. The socket stays open."""

    data: Complaint


class Request(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True
):
    """What every message of the client has: its `type`."""


class GetRecentRuns(Request, frozen=True, kw_only=True, tag="get_recent_runs"):
    """Asks for the runs that ended last."""

    limit: Annotated[
        int, Meta(description="How many at most.", ge=1, le=MOST_RUNS, examples=[10])
    ] = USUAL_RUNS


class Ping(Request, frozen=True, kw_only=True, tag="ping"):
    """Asks for a sign of life."""
