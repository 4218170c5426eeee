"""The audit trail: who did what, or was refused."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.response import Stream
from msgspec import Meta

from api.description import Content
from api.filters import FailureCursor, Limit
from api.listed import Excel, ListFormat, a_list, listed, marked
from api.query import Name, Query, Since, Text, Until
from api.routes import reads
from api.schemas.audit import AuditEntry, AuditList
from api.streaming import stream
from daemon.clock import Clock
from daemon.store.audit import Audit, AuditFilter, audit_csv
from daemon.store.columns.audit import EXPORTED
from daemon.store.database import Database


class AuditQuery(Query, frozen=True, kw_only=True):
    """Which entries."""

    by: Annotated[Name | None, Meta(description="Only of this API key, or of `local`.")] = None
    action: Annotated[
        Name | None, Meta(description="Only of this action, such as `pipelines.pause`.")
    ] = None
    subject: Annotated[Text | None, Meta(description="Only about what has this name or id.")] = None
    since: Since = None
    until: Until = None
    q: Annotated[
        Text | None, Meta(description="Only with this text in any of the fields, in any case.")
    ] = None

    def filter(self) -> AuditFilter:
        """The filter of the store."""
        return AuditFilter(
            by=self.by,
            action=self.action,
            subject=self.subject,
            since=self.since,
            until=self.until,
            q=self.q,
        )


class AuditPageQuery(AuditQuery, frozen=True, kw_only=True):
    """Which entries, a page at a time."""

    limit: Limit = 50
    cursor: FailureCursor = None
    format: ListFormat = None
    excel: Excel = False


@reads(
    "/api/audit",
    AuditPageQuery,
    role="admin",
    summary="The audit trail, newest first",
    operation_id="listAuditEntries",
    content=a_list(AuditList),
)
def list_audit(
    clock: NamedDependency[Clock],
    database: NamedDependency[Database],
    request: Request[Any, Any, Any],
    wanted: NamedDependency[AuditPageQuery],
) -> Response[Any]:
    """Every request to change something, by whom, and what came of it."""
    with database.read() as snapshot:
        page = Audit(snapshot).page(wanted.filter(), wanted.limit, wanted.cursor)
        total = Audit(snapshot).total(wanted.filter())
    answered = AuditList(
        entries=[AuditEntry.of(record) for record in page.entries],
        total_entries=total,
        next_cursor=page.next_cursor,
        timestamp=clock.now(),
    )
    return listed(request, wanted, answered, answered.entries, AuditEntry)


class AuditExportQuery(AuditQuery, frozen=True, kw_only=True):
    """Which entries, as a file."""

    excel: Excel = False


@reads(
    "/api/export/audit.csv",
    AuditExportQuery,
    role="admin",
    summary="The audit trail as CSV",
    operation_id="exportAuditEntries",
    content=Content(
        str,
        (
            f"CSV with a header line, newest first: {', '.join(EXPORTED)}. Cells that a spreadsheet "
            "would run as a formula begin with an apostrophe."
        ),
        "text/csv",
    ),
)
def export_audit(
    clock: NamedDependency[Clock],
    database: NamedDependency[Database],
    wanted: NamedDependency[AuditExportQuery],
) -> Stream:
    """All entries that match, streamed as they are read, as of the moment of the request."""
    name = f"audit-{clock.now():%Y%m%dT%H%M%SZ}.csv"
    chunks = marked(audit_csv(database, wanted.filter()), excel=wanted.excel)
    return stream(chunks, "text/csv; charset=utf-8; header=present", name)
