"""What a person can do about retries: ask, see beforehand what that comes to, and cancel."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from daemon import events
from daemon.clock import Clock
from daemon.errors import Conflict, NotFound
from daemon.ids import new_id
from daemon.operations.decision import store_decision
from daemon.recorder import Recorder
from daemon.store.columns.retries import RetryRecord
from daemon.store.failures import Failures
from daemon.store.filters import FailureFilter
from daemon.store.retries import Retries, SourceProgress
from daemon.store.retry_changes import Choice
from daemon.taxonomy import RetryState

STORE_SECONDS = 60.0
"""How long a person waits for a decision to be stored; a million failures take a few seconds."""


class RetryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks to be retried: failures by id, or those that a filter chooses."""

    failure_ids: tuple[int, ...] | None = None
    filter: FailureFilter = FailureFilter()
    """What counts without `failure_ids`."""
    include_not_retryable: bool = False
    rate: int | None = None
    """Items a minute."""


class RetryRequests:
    """Commands of people about retries. Decisions become events, which the recorder stores."""

    def __init__(
        self,
        retries: Retries,
        failures: Failures,
        recorder: Recorder,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        """`wake` is called after a decision."""
        self._retries = retries
        self._failures = failures
        self._recorder = recorder
        self._clock = clock
        self._wake = wake

    def preview(self, request: RetryRequest) -> tuple[Choice, list[SourceProgress]]:
        """What the request comes to now. Raises `NotFound`."""
        self._require_known(request)
        return self._retries.preview(
            request.failure_ids,
            self._failures.narrowed(request.filter),
            include_not_retryable=request.include_not_retryable,
        )

    def ask(self, request: RetryRequest, selection: str, asked_by: str) -> RetryRecord:
        """Stores the operation with all its items; its work begins in the background.

        `selection` is the request as it is shown. Raises `NotFound`, `StoreUnavailable`.
        """
        self._require_known(request)
        operation_id = new_id(self._clock)
        self._store(
            events.RetryRequested(
                at=self._clock.now(),
                operation_id=operation_id,
                asked_by=asked_by,
                selection=selection,
                failure_ids=request.failure_ids,
                filter=msgspec.json.encode(self._failures.narrowed(request.filter)).decode(),
                include_not_retryable=request.include_not_retryable,
                rate=request.rate,
            )
        )
        return self._retries.get(operation_id)

    def cancel(self, operation_id: str) -> RetryRecord:
        """Ends an operation after the chunk under way. Raises `NotFound`, `Conflict`."""
        operation = self._retries.get(operation_id)
        if operation.state not in (RetryState.PENDING, RetryState.RUNNING):
            raise Conflict(f"the operation has ended already: it is {operation.state}")
        self._store(
            events.RetryChanged(
                at=self._clock.now(), operation_id=operation_id, state=RetryState.CANCELLED
            )
        )
        return self._retries.get(operation_id)

    def _require_known(self, request: RetryRequest) -> None:
        unknown = self._retries.unknown_failures(request.failure_ids or ())
        if unknown:
            shown = ", ".join(map(str, unknown[:5]))
            more = "" if len(unknown) <= 5 else f" and {len(unknown) - 5} more"
            raise NotFound(f"there is no failure {shown}{more}")

    def _store(self, event: events.RetryRequested | events.RetryChanged) -> None:
        try:
            store_decision(self._recorder, event, STORE_SECONDS)
        finally:
            self._wake()
