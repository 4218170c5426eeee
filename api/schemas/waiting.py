"""Sources that wait, after they failed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from api.schemas import fields
from daemon.gate import Reason, Waiting
from daemon.taxonomy import Category


class WaitingSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source that cycles leave out after it failed; running it by hand is always possible."""

    source: fields.Source
    reason: Annotated[
        Reason,
        Meta(
            description="held: its credentials were refused, so it waits for another configuration or "
            "a person; backoff: until its retry is due; breaker: it failed several times in a row, so "
            "it is tried only once in a while.",
            examples=["backoff"],
        ),
    ]
    error_category: Annotated[
        Category, Meta(description="What it failed with.", examples=["connection"])
    ]
    attempts: Annotated[int, Meta(description="Runs in a row that failed.", examples=[3])]
    until: Annotated[
        datetime | None, Meta(description="When it may run by itself again; null while held.")
    ]

    @classmethod
    def of(cls, waiting: Waiting) -> WaitingSource:
        """What the gate says of a source."""
        return cls(
            source=waiting.source,
            reason=waiting.reason,
            error_category=Category(waiting.category),
            attempts=waiting.attempts,
            until=waiting.until,
        )
