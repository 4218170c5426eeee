"""A run under way, as the daemon sees it: its first event, what is reported in between, its last."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, assert_never

from daemon import events
from daemon.clock import Clock
from daemon.runners.ending import Ending
from daemon.runners.handle import RunClosed
from daemon.runners.order import RunOrder
from daemon.runners.sink import Report, StoringSink
from daemon.taxonomy import RunState, RunStatus
from daemon.triage import describe

LeftOpen = Callable[[str, str], int]
"""How many failures of its items a pipeline's source still has, as far as is on disk."""


def nothing_left_open(_pipeline: str, _source: str) -> int:
    """Of sources that have no history."""
    return 0


class OpenRun:
    """Passes on what is reported, counts it, and takes nothing after the end. A `Sink`.

    Its pipeline reports from one thread at a time; anybody may cancel or end it.
    """

    def __init__(
        self,
        order: RunOrder,
        sink: StoringSink,
        clock: Clock,
        left_open: LeftOpen = nothing_left_open,
    ) -> None:
        self.order = order
        self.asked_to_stop = threading.Event()
        """Set once the pipeline should stop at its next item."""
        self._sink = sink
        self._clock = clock
        self._left_open = left_open
        self._earlier_failures = 0
        self._began = clock.monotonic()
        self._lock = threading.Lock()
        self._closed = False
        self._state = RunState.IDLE
        self._step = ""
        self._progress: events.ProgressMade | None = None
        self._succeeded = self._failed = self._skipped = 0
        self._in_part = False
        self._whole_failed = False

    def begin(self) -> None:
        """Records the run's begin. Work that cannot be recorded is not begun: this waits for the disk."""
        order = self.order
        started = events.RunStarted(
            **self._who(),
            cycle_id=order.cycle_id,
            trigger=order.trigger,
            source_version=order.source_version,
        )
        self._position = self._sink.record(started)
        self._sink.wait(self._position)

    def record(self, event: Report) -> None:
        """See `Sink.record`."""
        with self._lock:  # so that nothing comes after the end
            if self._closed:
                raise RunClosed
            self._position = self._sink.record(event)
            self._count(event)

    def _count(self, event: Report) -> None:
        match event:
            case events.StepEntered():
                self._state, self._step = event.state, event.text
            case events.ItemSucceeded():
                self._succeeded += 1
            case events.ItemSkipped():
                self._skipped += event.count
            case events.ItemFailed():
                self._whole_failed = self._whole_failed or event.item is None
                self._failed += event.item is not None and event.first_cause
                self._in_part = self._in_part or event.in_part
            case events.RunNoted():
                pass  # no item
            case _:
                assert_never(event)

    def progress(self, event: events.ProgressMade) -> None:
        """See `Sink.progress`."""
        if self._closed:
            raise RunClosed
        self._progress = event
        self._sink.progress(event)

    def fail(self, error: BaseException) -> Ending:
        """Records that the run itself failed, as seen from outside, and says that this is its ending."""
        failed = events.ItemFailed(
            **self._who(),
            item=None,
            error=describe(error),
            step=self._state,
            duration_seconds=self._elapsed(),
        )
        try:
            self.record(failed)
        except RunClosed:
            return Ending.CLOSED
        return Ending.FAILED

    @property
    def is_closed(self) -> bool:
        """Whether the run has ended."""
        return self._closed

    def cancel(self) -> None:
        """Asks the pipeline to stop at its next item."""
        self.asked_to_stop.set()

    def outcome(self, ending: Ending, *, stopping: bool) -> RunStatus:
        """What the run came to, by how its function ended and what it reported; decided here only.

        `stopping` is whether everything stops, and not this run alone.
        """
        match ending:
            case Ending.CLOSED:
                return RunStatus.INTERRUPTED
            case Ending.GAVE_UP:
                return RunStatus.INTERRUPTED if stopping else RunStatus.CANCELLED
            case Ending.FAILED:
                return RunStatus.FAILED
            case Ending.RETURNED:
                return self._of_items()
            case _:
                assert_never(ending)

    def _of_items(self) -> RunStatus:
        if self._whole_failed:
            return RunStatus.FAILED
        if not self._failed:
            return RunStatus.PARTIAL if self._leaves_open() else RunStatus.SUCCESS
        return RunStatus.PARTIAL if self._succeeded or self._in_part else RunStatus.FAILED

    def _leaves_open(self) -> int:
        """How many failures of earlier runs are open still, now that this one has reported all: it skipped them."""
        source = (self.order.pipeline, self.order.source)
        if self._left_open(*source):
            self._sink.wait(self._position)
            self._earlier_failures = self._left_open(*source)
        return self._earlier_failures

    def end(self, status: RunStatus) -> int | None:
        """Ends the run, once; whatever is reported later is refused. Returns the position."""
        with self._lock:
            if self._closed:
                return None
            self._closed = True
            return self._sink.record(self._ended(status))

    def close(self, status: RunStatus) -> RunStatus:
        """Ends the run, unless it was interrupted, and waits for the disk; returns what it came to."""
        position = self.end(status)
        if position is None:
            return RunStatus.INTERRUPTED
        self._sink.wait(position)
        return status

    def _ended(self, status: RunStatus) -> events.RunEnded:
        good = status in (RunStatus.SUCCESS, RunStatus.PARTIAL)
        progress = self._progress
        return events.RunEnded(
            **self._who(),
            status=status,
            state=RunState.COMPLETED if good else RunState.ERROR,
            step=self._step or self._state,
            duration_seconds=self._elapsed(),
            counts=events.Counts(
                succeeded=self._succeeded, failed=self._failed, skipped=self._skipped
            ),
            progress_current=progress.current if progress else None,
            progress_total=progress.total if progress else None,
            earlier_failures=self._earlier_failures,
        )

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began

    def _who(self) -> dict[str, Any]:
        order = self.order
        return {
            "at": self._clock.now(),
            "run_id": order.run_id,
            "pipeline": order.pipeline,
            "source": order.source,
        }
