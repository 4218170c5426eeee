"""What no rule recognised."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from api.schemas import fields
from daemon.store.unmatched import UnmatchedGroup
from daemon.triage.rules.proposals import propose


class UnclassifiedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Failures that no rule recognised and whose messages are alike."""

    failure_group: Annotated[
        str, Meta(description="Id of the group, to filter by.", examples=["9f86d081884c7d65"])
    ]
    pipeline: fields.Pipeline
    sources: Annotated[
        list[str],
        Meta(description="Sources concerned, by name, at most 20.", examples=[["orders"]]),
    ]
    exception_type: fields.ExceptionType
    message: Annotated[
        str,
        Meta(
            description="The message with numbers, names and ids replaced.",
            examples=["the frobnicator <n> is jammed"],
        ),
    ]
    sample: Annotated[
        str,
        Meta(description="The newest message, masked.", examples=["the frobnicator 7 is jammed"]),
    ]
    count: Annotated[int, Meta(description="Failures that match.", examples=[16])]
    first_seen: Annotated[datetime, Meta(description="When the first of them failed, in UTC.")]
    last_seen: Annotated[datetime, Meta(description="When the last of them failed, in UTC.")]
    proposed_rule: Annotated[
        str | None,
        Meta(
            description="A rule that recognises the sample, as TOML for a rule file; its category "
            "and its advice are to be filled in. Null when there is nothing to recognise it by.",
        ),
    ]

    @classmethod
    def of(cls, group: UnmatchedGroup) -> UnclassifiedGroup:
        """The stored group with a rule for it."""
        return cls(
            failure_group=group.failure_group,
            pipeline=group.pipeline,
            sources=group.sources,
            exception_type=group.exception_type,
            message=group.message,
            sample=group.sample,
            count=group.count,
            first_seen=group.first_seen,
            last_seen=group.last_seen,
            proposed_rule=propose(group.sample, group.exception_type, group.pipeline),
        )


class UnclassifiedList(msgspec.Struct, frozen=True, kw_only=True):
    """Groups of failures that no rule recognised, those with the most failures first."""

    groups: Annotated[list[UnclassifiedGroup], Meta(description="This page of them.")]
    total_groups: Annotated[int, Meta(description="All that match.", examples=[7])]
    next_offset: Annotated[
        int | None,
        Meta(description="Value of `offset` for the next page; null on the last.", examples=[20]),
    ]
    next_cursor: Annotated[
        str | None,
        Meta(description="Value of `cursor` for the next page; null on the last.", examples=["20"]),
    ]
    timestamp: fields.Timestamp
