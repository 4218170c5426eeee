"""The handle through which a pipeline reports: each call becomes one event."""

from __future__ import annotations

import os
import threading
from typing import Any

from daemon import events
from daemon.clock import Clock
from daemon.errors import TriagedError
from daemon.runners.order import RunOrder
from daemon.runners.sink import Sink
from daemon.taxonomy import RunState
from daemon.triage import describe


class RunClosed(TriagedError):
    """The run is over: the daemon is stopping, or the pipeline returned before this call."""


class ForkedReport(TriagedError):
    """A process that the function forked cannot report: let it return what it found, and report that in the function."""


class Run:
    """One attempt to process one source. See `daemon.pipelines.contract.RunHandle`."""

    def __init__(
        self, order: RunOrder, sink: Sink, clock: Clock, asked_to_stop: threading.Event
    ) -> None:
        self.run_id = order.run_id
        self.pipeline = order.pipeline
        self.source = order.source
        self.options = order.options
        self.wanted = order.wanted
        self.known = order.known
        self._reports_to = sink
        self._process = os.getpid()
        self._clock = clock
        self._began = clock.monotonic()
        self._asked_to_stop = asked_to_stop
        self.gave_up = False
        """Whether the pipeline saw that it should stop."""
        self._state = RunState.IDLE
        self._last_failed: str | None = None

    @property
    def cancelled(self) -> bool:
        if self._asked_to_stop.is_set():
            self.gave_up = True
        return self.gave_up

    @property
    def _sink(self) -> Sink:
        """Where reports go. In a fork they would go to a copy of it, that nobody looks at."""
        if os.getpid() != self._process:
            raise ForkedReport
        return self._reports_to

    def step(self, state: RunState | str, text: str = "") -> None:
        self._state = RunState(state)
        self._sink.record(events.StepEntered(**self._who(), state=self._state, text=str(text)))

    def progress(self, current: int, total: int | None = None) -> None:
        self._sink.progress(
            events.ProgressMade(
                at=self._clock.now(),
                run_id=self.run_id,
                pipeline=self.pipeline,
                source=self.source,
                current=int(current),
                total=None if total is None else int(total),
            )
        )

    def succeed(self, item: str, *, facts: events.Facts | None = None) -> None:
        self._sink.record(
            events.ItemSucceeded(
                at=self._clock.now(),
                run_id=self.run_id,
                pipeline=self.pipeline,
                source=self.source,
                item=str(item),
                facts=facts,
            )
        )

    def skip(self, item: str | None = None, *, count: int = 1, gone: bool = False) -> None:
        if (skipped := int(count)) < 0:  # a counter refuses it, and with it the rest of its commit
            raise ValueError(f"expected a number of items from 0 on, got {skipped}")
        absent = item if gone else None
        self._sink.record(events.ItemSkipped(**self._who(), count=skipped, gone=absent))

    def note(self, facts: events.Facts) -> None:
        self._sink.record(events.RunNoted(**self._who(), facts=facts))

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
        self._last_failed = item
        self._sink.record(
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
                row_count=None if row_count is None else int(row_count),
                sample_rows=tuple(map(int, sample_rows)),
                column=column,
                facts=facts,
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
