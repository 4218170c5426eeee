"""Fields that several answers share, described once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any

import msgspec
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
RowCursor = Annotated[
    str,
    Meta(
        description="On the last row, when there are more: value of `cursor` for what comes after it. "
        "Empty on every other row.",
        examples=[""],
    ),
]
NextCursor = Annotated[
    str | None,
    Meta(
        description="Value of `cursor` for the next page; null on the last one.",
        examples=["1769846398120000.4711"],
    ),
]


class Shared:
    """What an answer has of a stored record as it is: fields of the same name, and those renamed."""

    def __init__(
        self,
        record: type[msgspec.Struct],
        answer: type[msgspec.Struct],
        outside: Mapping[str, str],
        but: Collection[str] = (),
    ) -> None:
        """`outside` has the names of columns that are called otherwise in the answer, `but` those left out."""
        columns = [column for column in record.__struct_fields__ if column not in but]
        named = {outside.get(column, column): column for column in columns}
        self._names = [name for name in answer.__struct_fields__ if name in named]
        self._columns = attrgetter(*(named[name] for name in self._names))

    def of(self, record: msgspec.Struct) -> dict[str, Any]:
        """The fields of a record, by their names in the answer."""
        return dict(zip(self._names, self._columns(record), strict=True))


def log_url(run_id: str) -> str:
    """Where the full log of a run is."""
    return f"/api/runs/{run_id}/log"
