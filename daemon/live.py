"""What is going on right now: active runs with their step and progress. Held in memory only."""

from __future__ import annotations

import threading
from copy import copy
from datetime import datetime

import msgspec

from daemon import events
from daemon.taxonomy import RunState


class ActiveRun(msgspec.Struct, kw_only=True):
    """A run that is under way. Whoever asks `Live` for it gets a copy of his own."""

    run_id: str
    pipeline: str
    source: str
    started_at: datetime
    updated_at: datetime
    state: RunState = RunState.IDLE
    step: str = ""
    progress_current: int | None = None
    progress_total: int | None = None
    error_message: str | None = None
    """The latest failure in it, masked."""
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0


class Live:
    """Active runs by id. A pipeline's updates only replace a reference; nobody who reads can slow it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, ActiveRun] = {}
        self._progress: dict[str, events.ProgressMade] = {}
        self.version = 0
        """Grows with every change but progress; who watches can tell whether there is news."""

    def begin(self, event: events.RunStarted) -> None:
        """A run began."""
        run = ActiveRun(
            run_id=event.run_id,
            pipeline=event.pipeline,
            source=event.source,
            started_at=event.at,
            updated_at=event.at,
        )
        with self._lock:
            self._runs[event.run_id] = run
            self.version += 1

    def step(self, event: events.StepEntered) -> None:
        """A run entered a phase."""
        with self._lock:
            if run := self._changed(event):
                run.state, run.step = event.state, event.text

    def progress(self, event: events.ProgressMade) -> None:
        """How far a run is: the newest replaces the one before. No lock: it is one assignment."""
        self._progress[event.run_id] = event

    def succeed(self, event: events.ItemSucceeded) -> None:
        """An item was processed."""
        with self._lock:
            if run := self._changed(event):
                run.succeeded += 1

    def skip(self, event: events.ItemSkipped) -> None:
        """Items needed nothing."""
        with self._lock:
            if run := self._changed(event):
                run.skipped += event.count

    def fail(self, event: events.ItemFailed, message: str) -> None:
        """An item failed; the newest message is shown."""
        with self._lock:
            if run := self._changed(event):
                run.failed += event.first_cause
                run.error_message = message

    def end(self, event: events.RunEnded) -> None:
        """A run ended and is live no more."""
        with self._lock:
            self._runs.pop(event.run_id, None)
            self._progress.pop(event.run_id, None)
            self.version += 1

    def _changed(self, event: events.RunEvent) -> ActiveRun | None:
        """The event's run, for a change under the lock; None when it is not live."""
        run = self._runs.get(event.run_id)
        if run is not None:
            run.updated_at = event.at
            self.version += 1
        return run

    def state(self) -> tuple[int, dict[str, events.ProgressMade]]:
        """What differs from an earlier one if anything changed since, progress included."""
        return self.version, self._progress.copy()

    def active(self) -> list[ActiveRun]:
        """All active runs, most recently updated first."""
        with self._lock:
            runs = [copy(run) for run in self._runs.values()]
        for run in runs:
            self._add_progress(run)
        return sorted(runs, key=lambda run: run.updated_at, reverse=True)

    def _add_progress(self, run: ActiveRun) -> None:
        made = self._progress.get(run.run_id)
        if made is not None:
            run.progress_current, run.progress_total = made.current, made.total
            run.updated_at = max(run.updated_at, made.at)
