"""Retries by hand: asked for, watched and cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Controller, HttpMethod, Request, Response, route
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter
from msgspec import Meta

from api.filters import CURSOR, Limit, RunCursor
from api.known import require_known
from api.problems import BadRequest, Mistake
from api.query import Query
from api.routes import commands, reads
from api.schemas.retries import (
    RetryFailure,
    RetryFailureList,
    RetryOperation,
    RetryOperationList,
    RetryOrder,
)
from api.security import asked_by
from daemon.clock import Clock
from daemon.operations.retries.requests import RetryRequests
from daemon.operations.retries.worker import RetryWorker
from daemon.pipelines.catalog import Catalog
from daemon.store.columns.retries import RetryRecord
from daemon.store.database import Database
from daemon.store.retries import Retries, SourceProgress

RetryId = Annotated[str, PathParameter(description="Id of the retry operation.")]


class RetryPageQuery(Query, frozen=True, kw_only=True):
    """A page of retry operations."""

    limit: Limit = 20
    cursor: RunCursor = None


class RetryFailureQuery(Query, frozen=True, kw_only=True):
    """A page of what an operation failed on."""

    limit: Limit = 50
    cursor: Annotated[
        Annotated[str, Meta(title=CURSOR, pattern=r"^[0-9]{1,18}$")] | None,
        Meta(description="The `next_cursor` of the answer before, for what comes after it."),
    ] = None


class RetryEndpoints(Controller):
    """What shares the path `/api/retries`, registered together.

    By itself the framework's answer to OPTIONS names only one of several methods.
    """

    path = "/api/retries"
    tags = ("retries",)

    @route("/", http_method=HttpMethod.OPTIONS, include_in_schema=False, sync_to_thread=False)
    def allow(self) -> Response[None]:
        """Says which methods there are."""
        return Response(None, status_code=204, headers={"Allow": "GET, OPTIONS, POST"})

    @commands(
        "/",
        404,
        action="failures.retry",
        status_code=202,
        summary="Retry failures",
        operation_id="retryFailures",
    )
    def retry(
        self,
        catalog: NamedDependency[Catalog],
        database: NamedDependency[Database],
        retries: NamedDependency[Retries],
        retry_requests: NamedDependency[RetryRequests],
        retry_worker: NamedDependency[RetryWorker],
        request: Request[None, None, Any],
        data: JSONBody[RetryOrder],
    ) -> RetryOperation:
        """Retries chosen failures, all that match a filter, or a whole failure group, in the background.

        What triage says cannot succeed is left out and counted, unless `include_not_retryable` is set. A
        `dry_run` answers what would be retried, and changes nothing.
        """
        if data.given() != 1:
            raise BadRequest([Mistake("one of failure_ids, filter and failure_group", pointer="")])
        require_known(data.filter or data, catalog, database)
        who, wanted = asked_by(request), data.request(catalog)
        if data.dry_run:
            return RetryOperation.preview(data, *retry_requests.preview(wanted), who)
        shown = msgspec.json.encode(data.selection()).decode()
        return _describe(retries, retry_worker, retry_requests.ask(wanted, shown, who))

    @reads(
        "/", RetryPageQuery, summary="Retry operations, newest first", operation_id="listRetries"
    )
    def list_retries(
        self,
        clock: NamedDependency[Clock],
        retries: NamedDependency[Retries],
        retry_worker: NamedDependency[RetryWorker],
        wanted: NamedDependency[RetryPageQuery],
    ) -> RetryOperationList:
        """All retries that were asked for, with how far they are."""
        page = retries.page(wanted.limit, wanted.cursor)
        progress = retries.progress([record.operation_id for record in page.operations])
        return RetryOperationList(
            retries=[
                _shown(retry_worker, record, progress.get(record.operation_id, []))
                for record in page.operations
            ],
            total_retries=retries.total(),
            next_cursor=page.next_cursor,
            timestamp=clock.now(),
        )


@reads("/api/retries/{retry_id:str}", summary="One retry operation", operation_id="getRetry")
def get_retry(
    retries: NamedDependency[Retries], retry_worker: NamedDependency[RetryWorker], retry_id: RetryId
) -> RetryOperation:
    """How far it is, and what it is waiting for."""
    return _describe(retries, retry_worker, retries.get(retry_id))


@reads(
    "/api/retries/{retry_id:str}/failures",
    RetryFailureQuery,
    summary="What a retry operation failed on",
    operation_id="listRetryFailures",
)
def list_retry_failures(
    clock: NamedDependency[Clock],
    retries: NamedDependency[Retries],
    retry_id: RetryId,
    wanted: NamedDependency[RetryFailureQuery],
) -> RetryFailureList:
    """Items that failed again, with their new failures, and items that could not be retried."""
    retries.get(retry_id)
    after = int(wanted.cursor) if wanted.cursor else None
    page = retries.unsuccessful(retry_id, wanted.limit, after)
    return RetryFailureList(
        failures=[RetryFailure.of(record) for record in page.items],
        total_failures=page.total,
        next_cursor=None if page.next_cursor is None else str(page.next_cursor),
        timestamp=clock.now(),
    )


@commands(
    "/api/retries/{retry_id:str}/cancel",
    action="retries.cancel",
    status_code=200,
    summary="Cancel a retry operation",
    operation_id="cancelRetry",
)
def cancel_retry(
    retries: NamedDependency[Retries],
    retry_requests: NamedDependency[RetryRequests],
    retry_worker: NamedDependency[RetryWorker],
    retry_id: RetryId,
) -> RetryOperation:
    """Ends it after the items that are being retried now, whose results are still stored."""
    return _describe(retries, retry_worker, retry_requests.cancel(retry_id))


def _describe(retries: Retries, retry_worker: RetryWorker, record: RetryRecord) -> RetryOperation:
    progress = retries.progress([record.operation_id])
    return _shown(retry_worker, record, progress.get(record.operation_id, []))


def _shown(
    retry_worker: RetryWorker, record: RetryRecord, progress: Sequence[SourceProgress]
) -> RetryOperation:
    ended = record.ended_at is not None
    text = None if ended else retry_worker.text(record.operation_id)
    return RetryOperation.of(record, progress, text)
