"""The handle through which a pipeline reports: each call becomes one event."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from daemon import events
from daemon.clock import Clock
from daemon.errors import TriagedError
from daemon.recorder import Recorder
from daemon.taxonomy import RunState, RunStatus
from daemon.triage import describe


class RunClosed(TriagedError):
    """The run is over: the daemon is stopping, or the pipeline returned before this call."""


class Run:
    """One attempt to process one source. See `daemon.pipelines.contract.RunHandle`."""

    def __init__(
        self,
        started: events.RunStarted,
        recorder: Recorder,
        clock: Clock,
        options: Mapping[str, Any],
        wanted: frozenset[str] | None = None,
    ) -> None:
        self.run_id = started.run_id
        self.pipeline = started.pipeline
        self.source = started.source
        self.options = options
        self.wanted = wanted
        self._recorder = recorder
        self._clock = clock
        self._began = clock.monotonic()
        self._cancel = threading.Event()
        self.gave_up = False
        """Whether the pipeline saw that it should stop."""
        self._lock = threading.Lock()
        self._closed = False
        self._state = RunState.IDLE
        self._step = ""
        self._progress: tuple[int, int | None] | None = None
        self._succeeded = self._failed = self._skipped = 0
        self._in_part = False
        self._whole_failed = False
        self._last_failed: str | None = None

    @property
    def cancelled(self) -> bool:
        if self._cancel.is_set():
            self.gave_up = True
        return self.gave_up

    def cancel(self) -> None:
        """Asks the pipeline to stop at the next item."""
        self._cancel.set()

    def step(self, state: RunState | str, text: str = "") -> None:
        self._state, self._step = RunState(state), text
        self._record(events.StepEntered(**self._who(), state=self._state, text=text))

    def progress(self, current: int, total: int | None = None) -> None:
        if self._closed:
            raise RunClosed
        self._progress = (current, total)
        self._recorder.progress(
            events.ProgressMade(
                at=self._clock.now(),
                run_id=self.run_id,
                pipeline=self.pipeline,
                source=self.source,
                current=current,
                total=total,
            )
        )

    def succeed(self, item: str, *, facts: events.Facts | None = None) -> None:
        self._succeeded += 1
        self._record(
            events.ItemSucceeded(
                at=self._clock.now(),
                run_id=self.run_id,
                pipeline=self.pipeline,
                source=self.source,
                item=str(item),
                facts=facts,
            )
        )

    def skip(self, item: str | None = None, *, count: int = 1) -> None:  # noqa: ARG002
        self._skipped += count
        self._record(events.ItemSkipped(**self._who(), count=count))

    def fail(
        self,
        item: str | None,
        error: BaseException | str,
        *,
        in_part: bool = False,
        row_count: int | None = None,
        sample_rows: tuple[int, ...] = (),
        column: str | None = None,
        facts: events.Facts | None = None,
        **fields: Any,
    ) -> None:
        item = None if item is None else str(item)
        first_cause = item is not None and item != self._last_failed
        self._failed += first_cause
        self._whole_failed = self._whole_failed or item is None
        self._last_failed = item
        self._in_part = self._in_part or in_part
        self._record(
            events.ItemFailed(
                at=self._clock.now(),
                run_id=self.run_id,
                pipeline=self.pipeline,
                source=self.source,
                item=item,
                error=describe(error, **fields),
                step=self._state,
                duration_seconds=self._elapsed(),
                first_cause=first_cause,
                in_part=in_part,
                row_count=row_count,
                sample_rows=sample_rows,
                column=column,
                facts=facts,
            )
        )

    def outcome(self) -> RunStatus:
        """What the items come to, unless the run itself failed: success, partial or failed."""
        if self._whole_failed:
            return RunStatus.FAILED
        if not self._failed:
            return RunStatus.SUCCESS
        return RunStatus.PARTIAL if self._succeeded or self._in_part else RunStatus.FAILED

    def end(self, status: RunStatus) -> int | None:
        """Ends the run, once; later calls of the pipeline are refused. Returns the position."""
        with self._lock:
            if self._closed:
                return None
            self._closed = True
        current, total = self._progress or (None, None)
        good = status in (RunStatus.SUCCESS, RunStatus.PARTIAL)
        return self._recorder.record(
            events.RunEnded(
                **self._who(),
                status=status,
                state=RunState.COMPLETED if good else RunState.ERROR,
                step=self._step or self._state,
                duration_seconds=self._elapsed(),
                counts=events.Counts(
                    succeeded=self._succeeded, failed=self._failed, skipped=self._skipped
                ),
                progress_current=current,
                progress_total=total,
            )
        )

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began

    def _who(self) -> dict[str, Any]:
        return {
            "at": self._clock.now(),
            "run_id": self.run_id,
            "pipeline": self.pipeline,
            "source": self.source,
        }

    def _record(self, event: events.AnyEvent) -> None:
        if self._closed:
            raise RunClosed
        self._recorder.record(event)
