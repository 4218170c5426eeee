"""The audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from api.schemas import fields
from daemon.store.columns.audit import OUTSIDE, AuditRecord
from daemon.taxonomy import AuditOutcome


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One request to change something, and what came of it."""

    id: Annotated[int, Meta(description="Number of the entry.", examples=[17])]
    at: Annotated[
        datetime, Meta(description="When it was asked, in UTC.", examples=["2026-01-31T08:00:00Z"])
    ]
    by: Annotated[
        str,
        Meta(
            description="Name of the API key; `local` without keys, and for work on the keys file.",
            examples=["on-call"],
        ),
    ]
    action: Annotated[str, Meta(description="What was asked for.", examples=["pipelines.pause"])]
    subject: Annotated[
        str | None,
        Meta(
            description="What it was asked of, by name or id; null where the details say it.",
            examples=["ingest"],
        ),
    ]
    outcome: Annotated[
        AuditOutcome, Meta(description="Whether it was done or refused.", examples=["done"])
    ]
    reason: Annotated[
        str | None,
        Meta(
            description="Why it was refused: `invalid`, `not_permitted`, `not_found`, `conflict`, "
            "`too_large`, `not_json`, `failed`, `unavailable` or `refused`; null when it was done.",
            examples=["not_permitted"],
        ),
    ]
    details: Annotated[
        str | None,
        Meta(
            description="What else the request said, as JSON: masked, and cut where it is long.",
            examples=['{"note":"fixed in 2.4.1"}'],
        ),
    ]

    @classmethod
    def of(cls, record: AuditRecord) -> AuditEntry:
        """A stored entry."""
        return cls(outcome=AuditOutcome(record.outcome), **_AS_STORED.of(record))


_AS_STORED = fields.Shared(AuditRecord, AuditEntry, OUTSIDE, but=("outcome",))


class AuditList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the audit trail, newest first."""

    entries: Annotated[list[AuditEntry], Meta(description="This page of them.")]
    total_entries: Annotated[int, Meta(description="All that match.", examples=[17])]
    next_cursor: fields.NextCursor
    timestamp: fields.Timestamp
