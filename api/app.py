"""The API put together."""

from __future__ import annotations

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ControllerRouterHandler

from api import (
    export,
    failures,
    files,
    groups,
    health,
    ingestions,
    page,
    pipelines,
    rejected,
    retries,
    runs,
    statistics,
    status,
    unclassified,
)
from api.description import Records, description
from api.grafana import endpoints as grafana
from api.problems import answer_daemon, answer_http, answer_unexpected
from api.report import endpoints as report_tables
from api.report import series_endpoints as report_series
from api.security import Access, add_headers, asked_by
from daemon.errors import TriagedError
from daemon.pipelines.ingest.rejected_rows import RejectedRows
from daemon.pipelines.ingest.rejects import Rejects
from daemon.service import Daemon

BODY_BYTES = 1_000_000
"""The largest request body that is read."""

HANDLERS: list[ControllerRouterHandler] = [
    page.index,
    status.current_status,
    status.status,
    runs.history,
    statistics.statistics,
    runs.list_runs,
    runs.get_run,
    runs.get_log,
    failures.list_failures,
    groups.list_groups,
    groups.get_group,
    groups.resolve,
    groups.ignore,
    groups.reopen,
    groups.merge,
    groups.unmerge,
    groups.split,
    failures.failure_trends,
    unclassified.list_unclassified,
    failures.get_failure,
    export.export_failures,
    ingestions.list_ingestions,
    ingestions.get_ingestion,
    files.list_files,
    files.retry,
    files.quarantine,
    files.ignore,
    files.release,
    files.download,
    rejected.list_rejected,
    retries.Retries,
    retries.get_retry,
    retries.list_retry_failures,
    retries.cancel_retry,
    pipelines.list_pipelines,
    pipelines.pause,
    pipelines.resume,
    pipelines.run,
    health.healthz,
    health.readyz,
    health.metrics,
    report_tables.failures,
    report_tables.runs,
    report_tables.groups,
    report_tables.sources,
    report_tables.cycles,
    report_series.failure_series,
    report_series.run_series,
    report_series.item_series,
    report_series.annotations_of,
    report_series.variables,
    *grafana.HANDLERS,
]


def create_app(daemon: Daemon) -> Litestar:
    """The ASGI application over a daemon, which the caller starts and stops."""
    rejected_rows = RejectedRows(Rejects(daemon.rejects))
    return Litestar(
        HANDLERS,
        dependencies={
            "daemon": Provide(lambda: daemon, sync_to_thread=False),
            "by": Provide(asked_by, sync_to_thread=False),
            "rejected_rows": Provide(lambda: rejected_rows, sync_to_thread=False),
        },
        on_shutdown=[rejected_rows.close],
        guards=[Access(daemon.settings).guard],
        before_send=[add_headers],
        exception_handlers={
            HTTPException: answer_http,
            TriagedError: answer_daemon,
            Exception: answer_unexpected,
        },
        request_max_body_size=BODY_BYTES,
        openapi_config=description(with_keys=bool(daemon.settings.keys)),
        plugins=[Records()],
        logging_config=None,
    )
