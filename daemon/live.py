"""What is going on right now: active runs with their step and progress. Held in memory only."""

from __future__ import annotations

import threading
from datetime import datetime

import msgspec

from daemon import events
from daemon.triage.taxonomy import RunState


class ActiveRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is under way."""

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
        self._change(event, state=event.state, step=event.text)

    def progress(self, event: events.ProgressMade) -> None:
        """How far a run is: the newest replaces the one before. No lock: it is one assignment."""
        self._progress[event.run_id] = event

    def succeed(self, event: events.ItemSucceeded) -> None:
        """An item was processed."""
        self._change(event, succeeded=1)

    def skip(self, event: events.ItemSkipped) -> None:
        """Items needed nothing."""
        self._change(event, skipped=event.count)

    def fail(self, event: events.ItemFailed, message: str) -> None:
        """An item failed; the newest message is shown."""
        self._change(event, failed=int(event.first_cause), error_message=message)

    def end(self, event: events.RunEnded) -> None:
        """A run ended and is live no more."""
        with self._lock:
            self._runs.pop(event.run_id, None)
            self._progress.pop(event.run_id, None)
            self.version += 1

    def _change(
        self,
        event: events.RunEvent,
        *,
        succeeded: int = 0,
        failed: int = 0,
        skipped: int = 0,
        **changes: object,
    ) -> None:
        with self._lock:
            run = self._runs.get(event.run_id)
            if run is not None:
                self._runs[event.run_id] = msgspec.structs.replace(
                    run,
                    updated_at=event.at,
                    succeeded=run.succeeded + succeeded,
                    failed=run.failed + failed,
                    skipped=run.skipped + skipped,
                    **changes,
                )
                self.version += 1

    def state(self) -> tuple[int, dict[str, events.ProgressMade]]:
        """What differs from an earlier one if anything changed since, progress included."""
        return self.version, self._progress.copy()

    def active(self) -> list[ActiveRun]:
        """All active runs, most recently updated first."""
        with self._lock:
            runs = list(self._runs.values())
        return sorted(map(self._with_progress, runs), key=lambda run: run.updated_at, reverse=True)

    def _with_progress(self, run: ActiveRun) -> ActiveRun:
        made = self._progress.get(run.run_id)
        if made is None:
            return run
        return msgspec.structs.replace(
            run,
            progress_current=made.current,
            progress_total=made.total,
            updated_at=max(run.updated_at, made.at),
        )
