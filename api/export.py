"""Exports of whole queries as files."""

from __future__ import annotations

from litestar.di import NamedDependency
from litestar.response import Stream

from api.description import Content
from api.filters import FailureQuery
from api.known import require_known
from api.listed import Excel, marked
from api.routes import reads
from api.streaming import stream
from daemon.clock import Clock
from daemon.pipelines.catalog import Catalog
from daemon.store.columns.failures import EXPORTED
from daemon.store.database import Database
from daemon.store.export import failures_csv


class ExportQuery(FailureQuery, frozen=True, kw_only=True):
    """Which failures, as a file."""

    excel: Excel = False


@reads(
    "/api/export/failures.csv",
    ExportQuery,
    summary="Failures as CSV",
    operation_id="exportFailures",
    content=Content(
        str,
        (
            f"CSV with a header line, newest first up to 5,000 failures: {', '.join(EXPORTED)}. Cells that a "
            "spreadsheet would run as a formula begin with an apostrophe."
        ),
        "text/csv",
    ),
)
def export_failures(
    clock: NamedDependency[Clock],
    catalog: NamedDependency[Catalog],
    database: NamedDependency[Database],
    wanted: NamedDependency[ExportQuery],
) -> Stream:
    """All failures that match, streamed as they are read, as of the moment of the request."""
    require_known(wanted, catalog, database)
    name = f"failures-{clock.now():%Y%m%dT%H%M%SZ}.csv"
    chunks = marked(failures_csv(database, wanted.filter(catalog)), excel=wanted.excel)
    return stream(chunks, "text/csv; charset=utf-8; header=present", name)
