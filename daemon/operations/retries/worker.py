"""The thread that works retry operations off: one chunk of each in turn."""

from __future__ import annotations

import logging
import threading

from daemon import events
from daemon.clock import Clock
from daemon.errors import RecorderClosed, StoreError
from daemon.operations.retries.chunk import Chunks
from daemon.operations.retries.pace import Pace
from daemon.pipelines.catalog import Catalog
from daemon.recorder import Recorder
from daemon.runners.runner import Runner
from daemon.scheduler import Scheduler
from daemon.store.retries import Retries, RetryRecord
from daemon.taxonomy import RetryState

log = logging.getLogger("triaged.retries")

LOOK_SECONDS = 0.25
"""How often an operation that waits looks whether it may go on."""
STORE_SECONDS = 2.0
"""How often it looks for a store that cannot be read."""
_SHOWN_SOURCES = 3


class RetryWorker:
    """Works operations off. `start` and `stop` may be called any often; `stop` is final."""

    def __init__(
        self,
        catalog: Catalog,
        scheduler: Scheduler,
        runner: Runner,
        recorder: Recorder,
        retries: Retries,
        chunks: Chunks,
        clock: Clock,
    ) -> None:
        self._catalog = catalog
        self._scheduler = scheduler
        self._runner = runner
        self._recorder = recorder
        self._retries = retries
        self._chunks = chunks
        self._clock = clock
        self._paces: dict[str, Pace] = {}
        self._texts: dict[str, str] = {}
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="retries", daemon=True)

    def start(self) -> None:
        """Begins with what is left of earlier operations."""
        if self._thread.ident is None and not self._stopping.is_set():
            self._thread.start()

    def wake(self) -> None:
        """An operation was asked for or cancelled."""
        self._woken.set()

    def text(self, operation_id: str) -> str | None:
        """What an operation is doing or waiting for, while it has not ended."""
        return self._texts.get(operation_id)

    def stop(self) -> None:
        """Begins no further chunk. What is left is done after the next start."""
        self._stopping.set()
        self._woken.set()

    def wait(self, seconds: float) -> None:
        """Waits till the thread has ended, after `stop`."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                rest = self._round()
            except RecorderClosed:
                return
            except StoreError as error:
                log.warning(
                    "retries wait for the store",
                    extra={"event": "retries_waiting", "reason": str(error)},
                )
                rest = STORE_SECONDS
            if rest != 0:
                self._woken.wait(rest)

    def _round(self) -> float | None:
        """A chunk of every operation; returns how long to wait till the next, None for a wake."""
        operations = self._retries.unfinished()
        self._forget({operation.operation_id for operation in operations})
        worked = [self._advance(operation) for operation in operations]
        if any(worked):
            return 0
        return LOOK_SECONDS if operations else None

    def _forget(self, unfinished: set[str]) -> None:
        for kept in (self._paces, self._texts):
            for operation_id in kept.keys() - unfinished:
                del kept[operation_id]

    def _advance(self, operation: RetryRecord) -> bool:
        """One chunk of an operation; False when it has to wait."""
        if self._stopping.is_set():
            return False
        try:
            return self._step(operation)
        except StoreError:
            raise
        except Exception as error:
            log.exception("a retry operation failed", extra={"event": "retry_failed"})
            self._change(operation, RetryState.FAILED, f"{type(error).__name__}; the log says more")
            return True

    def _step(self, operation: RetryRecord) -> bool:
        sources = self._retries.sources_to_do(operation.operation_id)
        if operation.state == RetryState.PENDING:
            self._change(operation, RetryState.RUNNING)
        if not sources:
            self._change(operation, RetryState.COMPLETED)
            return True
        pace = self._paces.setdefault(operation.operation_id, Pace(operation.rate))
        if pace.wait(self._clock.monotonic()):
            self._say(operation, f"keeps to {operation.rate} items a minute")
            return False
        blocked = [self._blocked(*source) for source in sources]
        if None in blocked:
            self._retry(operation, *sources[blocked.index(None)], pace)
            return True
        reasons = list(dict.fromkeys(reason for reason in blocked if reason))
        self._say(operation, f"waits: {'; '.join(reasons[:_SHOWN_SOURCES])}")
        return False

    def _blocked(self, pipeline: str, source: str) -> str | None:
        """Why a source cannot be run now; None when it can (or is none)."""
        if pipeline in self._catalog.pipelines and self._scheduler.is_paused(pipeline):
            return f"the pipeline {pipeline} is paused"
        if self._runner.is_active(pipeline, source):
            return f"{pipeline}/{source} is running"
        return None

    def _retry(self, operation: RetryRecord, pipeline: str, source: str, pace: Pace) -> None:
        self._say(operation, f"works on {pipeline}/{source}")
        began = self._clock.monotonic()
        items = self._chunks.carry_out(operation, pipeline, source, pace.size)
        if items:
            pace.took(items, began, self._clock.monotonic())

    def _say(self, operation: RetryRecord, text: str) -> None:
        self._texts[operation.operation_id] = text

    def _change(self, operation: RetryRecord, state: RetryState, error: str | None = None) -> None:
        change = events.RetryChanged(
            at=self._clock.now(), operation_id=operation.operation_id, state=state, error=error
        )
        if not self._recorder.wait(self._recorder.record(change)):
            raise RecorderClosed
        log.info(
            "a retry operation changed",
            extra={
                "event": "retry_operation",
                "operation_id": operation.operation_id,
                "status": state.value,
            },
        )
