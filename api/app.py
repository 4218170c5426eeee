"""The API put together."""

from __future__ import annotations

from collections.abc import Sequence

from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.types import ControllerRouterHandler

from api import (
    accounts,
    audit,
    backup,
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
from api.account_details import ShownAccounts
from api.bodies import BodyRequest
from api.description import Records, description
from api.grafana import endpoints as grafana
from api.head import Api
from api.problems import answer_daemon, answer_http, answer_unexpected
from api.report import endpoints as report_tables
from api.report import series_endpoints as report_series
from api.report.reports import Reports
from api.security import Access, add_headers, asked_by
from api.sockets.admission import Doorkeeper
from api.sockets.description import TOPICS, asyncapi
from api.sockets.hub import Hub, route
from api.sockets.kind import TopicKind
from api.sockets.token import issue_token
from api.sockets.tokens import Tokens
from api.trail import Trail
from daemon.composition.offered import Offered
from daemon.errors import TriagedError
from daemon.pipelines.ingest.rejected_rows import RejectedRows
from daemon.pipelines.ingest.rejects import Rejects

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
    failures.list_processing_failures,
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
    audit.list_audit,
    audit.export_audit,
    backup.export_store,
    ingestions.list_ingestions,
    ingestions.get_ingestion,
    files.list_files,
    files.retry,
    files.quarantine,
    files.ignore,
    files.release,
    files.download,
    rejected.list_rejected,
    retries.RetryEndpoints,
    retries.get_retry,
    retries.list_retry_failures,
    retries.cancel_retry,
    accounts.AccountEndpoints,
    pipelines.list_pipelines,
    pipelines.get_pipeline,
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
    issue_token,
    asyncapi,
]


def create_app(offered: Offered, topics: Sequence[TopicKind] = TOPICS) -> Api:
    """The ASGI application over what a daemon offers, which the caller starts and stops.

    `topics` are the kinds of what can be followed live.
    """
    clock, server = offered.clock, offered.settings.config.server
    access = Access(server, offered.keyring, offered.metrics, clock)
    tokens = Tokens(clock)
    rejected_rows = RejectedRows(Rejects(offered.rejects))
    return Api(
        [*HANDLERS, *map(route, topics)],
        dependencies={
            **{name: _given(getattr(offered, name)) for name in offered.__struct_fields__},
            "by": Provide(asked_by, sync_to_thread=False),
            "access": _given(access),
            "tokens": _given(tokens),
            "hub": _given(Hub(offered, Doorkeeper(access, tokens), topics)),
            "rejected_rows": _given(rejected_rows),
            "reports": _given(
                Reports(
                    offered.database,
                    offered.runs,
                    offered.catalog,
                    offered.live,
                    offered.standings,
                    clock,
                )
            ),
            "shown_accounts": _given(
                ShownAccounts(
                    offered.accounts,
                    offered.runs,
                    offered.catalog,
                    offered.gate,
                    offered.standings,
                )
            ),
        },
        on_shutdown=[rejected_rows.close],
        middleware=[
            DefineMiddleware(
                Trail, recorder=offered.recorder, mask=offered.triage.mask, clock=clock
            )
        ],
        guards=[access.guard],
        before_send=[add_headers],
        exception_handlers={
            HTTPException: answer_http,
            TriagedError: answer_daemon,
            Exception: answer_unexpected,
        },
        request_class=BodyRequest,
        request_max_body_size=BODY_BYTES,
        openapi_config=description(),
        plugins=[Records()],
        state=State({"clock": clock}),
        logging_config=None,
    )


def _given(value: object) -> Provide:
    """What handlers take by name."""
    return Provide(lambda: value, sync_to_thread=False)
