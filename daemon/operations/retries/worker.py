"""Works retry operations off: of each, one chunk at a time is in the queue."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from daemon import events
from daemon.clock import Clock
from daemon.errors import RecorderClosed, StoreError
from daemon.ids import new_id
from daemon.operations.retries.chunk import Chunks
from daemon.operations.retries.pace import ChunkPace
from daemon.operations.retries.task import ChunkTask
from daemon.parts import Part
from daemon.pipelines.catalog import Catalog
from daemon.recorder import Recorder
from daemon.runners.runner import Runner
from daemon.scheduler import Scheduler
from daemon.store.columns.retries import RetryRecord
from daemon.store.retries import Retries
from daemon.taxonomy import Priority, RetryState, Trigger
from daemon.work.queue import WorkQueue

log = logging.getLogger("triaged.retries")

LOOK_SECONDS = 0.25
"""How often an operation that waits looks whether it may go on."""
STORE_SECONDS = 2.0
"""How often it looks for a store that cannot be read."""
_SHOWN_SOURCES = 3


class RetryWorker(Part):
    """Puts the chunks of operations into the queue, from its start on also those of earlier operations.

    What a stop leaves is done after the next start.
    """

    patience = 2.0
    """The thread waits for nobody but the store."""

    def __init__(
        self,
        catalog: Catalog,
        scheduler: Scheduler,
        runner: Runner,
        queue: WorkQueue,
        recorder: Recorder,
        retries: Retries,
        chunks: Chunks,
        clock: Clock,
    ) -> None:
        super().__init__("retries by hand")
        self._catalog = catalog
        self._scheduler = scheduler
        self._runner = runner
        self._queue = queue
        self._recorder = recorder
        self._retries = retries
        self._chunks = chunks
        self._clock = clock
        self._paces: dict[str, ChunkPace] = {}
        self._texts: dict[str, str] = {}
        self._turns: dict[str, float] = {}
        """When operations last put a chunk into the queue, on the monotonic clock."""
        self._under_way: set[str] = set()
        """Operations that have a chunk in the queue."""
        self._unreadable = False
        """Whether a chunk could not read the store."""
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread

    def _start(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(self._stopping,), name="retries", daemon=True
        )
        self._thread.start()

    def wake(self) -> None:
        """An operation was asked for or cancelled."""
        self._woken.set()

    def text(self, operation_id: str) -> str | None:
        """What an operation is doing or waiting for, while it has not ended."""
        return self._texts.get(operation_id)

    def _wind_down(self) -> None:
        self._stopping.set()
        self._woken.set()

    def _stop(self, seconds: float) -> None:
        self._thread.join(seconds)

    def settle(self, seconds: float) -> None:
        """Waits till nothing more is done about operations, once no turn comes any more."""
        deadline = self._clock.monotonic() + seconds
        while self._under_way and (left := deadline - self._clock.monotonic()) > 0:
            self._woken.clear()
            if self._under_way:
                self._woken.wait(left)

    def _work(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            self._woken.clear()
            try:
                rest = self._round()
            except RecorderClosed:
                return
            except StoreError as error:
                rest = STORE_SECONDS
                self._tell_waiting(error)
            self._woken.wait(rest)

    def _tell_waiting(self, error: StoreError) -> None:
        log.warning(
            "retries wait for the store",
            extra={"event": "retries_waiting", "reason": str(error)},
        )

    def _round(self) -> float | None:
        """A step of every operation; returns how long to wait till the next, None for a wake."""
        if self._unreadable:
            self._unreadable = False
            return STORE_SECONDS
        operations = self._retries.unfinished()
        self._forget({operation.operation_id for operation in operations})
        idle = [each for each in operations if each.operation_id not in self._under_way]
        idle.sort(key=lambda each: self._turns.get(each.operation_id, 0.0))
        waiting = [self._advance(operation) for operation in idle]
        return LOOK_SECONDS if any(waiting) else None

    def _forget(self, unfinished: set[str]) -> None:
        tables: tuple[dict[str, Any], ...] = (self._paces, self._texts, self._turns)
        for kept in tables:
            for operation_id in kept.keys() - unfinished:
                del kept[operation_id]

    def _advance(self, operation: RetryRecord) -> bool:
        """The next chunk of an operation goes into the queue; True when it has to wait first."""
        if self._stopping.is_set():
            return False
        with self._failing(operation):
            return self._step(operation)
        return False

    @contextmanager
    def _failing(self, operation: RetryRecord) -> Iterator[None]:
        """An error that nobody foresaw ends the operation."""
        try:
            yield
        except (StoreError, RecorderClosed):
            raise
        except Exception as error:
            log.exception("a retry operation failed", extra={"event": "retry_failed"})
            self._change(operation, RetryState.FAILED, f"{type(error).__name__}; the log says more")

    def _step(self, operation: RetryRecord) -> bool:
        sources = self._retries.sources_to_do(operation.operation_id)
        if operation.state == RetryState.PENDING:
            self._change(operation, RetryState.RUNNING)
        if not sources:
            self._change(operation, RetryState.COMPLETED)
            return False
        pace = self._paces.setdefault(operation.operation_id, ChunkPace(operation.rate))
        if pace.wait(self._clock.monotonic()):
            self._say(operation, f"keeps to {operation.rate} items a minute")
            return True
        blocked = [self._blocked(*source) for source in sources]
        if None in blocked:
            self._put(operation, *sources[blocked.index(None)], pace)
            return False
        reasons = list(dict.fromkeys(reason for reason in blocked if reason))
        self._say(operation, f"waits: {'; '.join(reasons[:_SHOWN_SOURCES])}")
        return True

    def _blocked(self, pipeline: str, source: str) -> str | None:
        """Why a source cannot be run now; None when it can (or is none)."""
        if pipeline in self._catalog.pipelines and self._scheduler.is_paused(pipeline):
            return f"the pipeline {pipeline} is paused"
        if self._runner.is_active(pipeline, source):
            return f"{pipeline}/{source} is running"
        return None

    def _put(self, operation: RetryRecord, pipeline: str, source: str, pace: ChunkPace) -> None:
        self._say(operation, f"waits for the turn of {pipeline}/{source}")
        self._turns[operation.operation_id] = self._clock.monotonic()
        self._under_way.add(operation.operation_id)
        work = events.Work(
            cycle_id=new_id(self._clock),
            pipeline=pipeline,
            source=source,
            trigger=Trigger.RETRY,
            priority=Priority.PERSON,
            asked_at=self._clock.now(),
        )

        def carry_out() -> None:
            try:
                with self._failing(operation):
                    self._retry(operation.operation_id, pipeline, source, pace)
            except StoreError as error:
                self._unreadable = True
                self._tell_waiting(error)

        def over() -> None:
            self._under_way.discard(operation.operation_id)
            self.wake()

        self._queue.put([ChunkTask(work, carry_out, over)])

    def _retry(self, operation_id: str, pipeline: str, source: str, pace: ChunkPace) -> None:
        operation = self._retries.get(operation_id)
        if operation.ended_at is not None or self._stopping.is_set():
            return  # it was cancelled before its turn came
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
