"""Runs that wait for their turn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from api.schemas import fields
from daemon.events import Work
from daemon.taxonomy import Priority, Trigger

SHOWN = 20
"""How many are listed; a cycle may have thousands."""


class QueuedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was asked for, and waits because its pipeline or source is busy."""

    pipeline: fields.Pipeline
    source: fields.Source
    cycle_id: Annotated[str, Meta(description="Id of the cycle that it belongs to.")]
    started_by: Annotated[
        Trigger, Meta(description="What it was asked for by.", examples=["manual"])
    ]
    priority: Annotated[
        Priority,
        Meta(
            description="Who comes first: a person, then retries, then cycles; what has waited 30 seconds "
            "longer comes first in any case.",
            examples=["person"],
        ),
    ]
    since: Annotated[datetime, Meta(description="When it was asked for, in UTC.")]


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for its turn."""

    count: Annotated[int, Meta(description="How many runs wait.", examples=[0])]
    first: Annotated[
        list[QueuedRun],
        Meta(
            description=f"The first {SHOWN} of them, of each pipeline in the order of their turns."
        ),
    ]

    @classmethod
    def of(cls, waiting: Sequence[Work]) -> Queued:
        """What the queue says."""
        return cls(
            count=len(waiting),
            first=[
                QueuedRun(
                    pipeline=work.pipeline,
                    source=work.source,
                    cycle_id=work.cycle_id,
                    started_by=work.trigger,
                    priority=work.priority,
                    since=work.asked_at,
                )
                for work in waiting[:SHOWN]
            ],
        )
