"""The audit trail: who did what, or was refused."""

from __future__ import annotations

from datetime import datetime

from daemon.events import Audited
from daemon.store.rows import FreeText, Row

OUTSIDE = {"audited_at": "at", "done_by": "by"}
"""What columns are called in answers and exports, unless the same."""
EXPORTED = ("id", "at", "by", "action", "subject", "outcome", "reason", "details")
"""The columns of the CSV, by the names that they have outside."""


class AuditRow(Row, frozen=True):
    """One thing that somebody did or was refused."""

    audited_at: datetime
    done_by: FreeText
    action: FreeText
    subject: FreeText | None
    outcome: str
    reason: str | None
    details: FreeText | None

    @classmethod
    def of(cls, event: Audited) -> AuditRow:
        """The row of an entry."""
        return cls(
            audited_at=event.at,
            done_by=event.by,
            action=event.action,
            subject=event.subject,
            outcome=event.outcome,
            reason=event.reason,
            details=event.details,
        )


class AuditRecord(AuditRow, frozen=True):
    """A stored entry. The order of the fields is the order of the columns that are read."""

    id: int
