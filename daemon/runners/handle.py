"""The handle through which a pipeline reports: each call becomes one event."""

from __future__ import annotations

import os
import threading
from typing import Any

from daemon import events
from daemon.clock import Clock
from daemon.errors import TriagedError
from daemon.runners.order import RunOrder
from daemon.runners.reported import known_facts, whole, words
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
        self._order = order
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
    def run_id(self) -> str:
        return self._order.run_id

    @property
    def source(self) -> str:
        return self._order.source

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
        said = words("run.step", "text", text)
        self._state = RunState(state)
        self._sink.record(events.StepEntered(**self._who(), state=self._state, text=said))

    def progress(self, current: int, total: int | None = None) -> None:
        self._sink.progress(
            events.ProgressMade(
                at=self._clock.now(),
                run_id=self._order.run_id,
                pipeline=self._order.pipeline,
                source=self._order.source,
                current=whole("run.progress", "current", current),
                total=None if total is None else whole("run.progress", "total", total),
            )
        )

    def succeed(self, item: str, *, facts: events.Facts | None = None) -> None:
        self._sink.record(
            events.ItemSucceeded(
                at=self._clock.now(),
                run_id=self._order.run_id,
                pipeline=self._order.pipeline,
                source=self._order.source,
                item=words("run.succeed", "item", item),
                facts=None if facts is None else known_facts("run.succeed", "facts", facts),
            )
        )

    def skip(self, item: str | None = None, *, count: int = 1, gone: bool = False) -> None:
        skipped = whole("run.skip", "count", count)
        named = None if item is None else words("run.skip", "item", item)
        absent = named if gone else None
        self._sink.record(events.ItemSkipped(**self._who(), count=skipped, gone=absent))

    def note(self, facts: events.Facts) -> None:
        self._sink.record(
            events.RunNoted(**self._who(), facts=known_facts("run.note", "facts", facts))
        )

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
        item = None if item is None else words("run.fail", "item", item)
        first_cause = item is not None and item != self._last_failed
        self._last_failed = item
        self._sink.record(
            events.ItemFailed(
                at=self._clock.now(),
                run_id=self._order.run_id,
                pipeline=self._order.pipeline,
                source=self._order.source,
                item=item,
                error=describe(error, **fields),
                step=self._state,
                duration_seconds=self._elapsed(),
                first_cause=first_cause,
                in_part=bool(in_part),
                row_count=None if row_count is None else whole("run.fail", "row_count", row_count),
                sample_rows=tuple(whole("run.fail", "sample_rows", row) for row in sample_rows),
                column=None if column is None else words("run.fail", "column", column),
                facts=None if facts is None else known_facts("run.fail", "facts", facts),
            )
        )

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began

    def _who(self) -> dict[str, Any]:
        return {
            "at": self._clock.now(),
            "run_id": self._order.run_id,
            "pipeline": self._order.pipeline,
            "source": self._order.source,
        }
