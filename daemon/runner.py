"""Carries out one run from start to end; its outcome is decided here, once."""

from __future__ import annotations

import logging
import secrets
import threading

from daemon import events
from daemon.clock import Clock
from daemon.errors import Conflict
from daemon.pipelines.catalog import Registered, Source
from daemon.recorder import Recorder
from daemon.run import Run, RunClosed
from daemon.taxonomy import RunStatus, Trigger

log = logging.getLogger("triaged.runs")


class Runner:
    """Runs sources in the calling thread, each source at most once at a time."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._lock = threading.Lock()
        self._active: dict[tuple[str, str], Run | None] = {}
        self._stopping = False

    def run(
        self,
        pipeline: Registered,
        source: Source,
        cycle_id: str,
        trigger: Trigger,
        wanted: frozenset[str] | None = None,
    ) -> RunStatus:
        """One run, of the items `wanted` or all. Returns how it ended; raises `Conflict` when the source is running already."""
        key = (pipeline.name, source.name)
        with self._lock:
            if key in self._active:
                raise Conflict(f"{pipeline.name}/{source.name} is running already")
            self._active[key] = None
        try:
            return self._run(pipeline, source, cycle_id, trigger, wanted)
        finally:
            with self._lock:
                del self._active[key]

    def _run(
        self,
        pipeline: Registered,
        source: Source,
        cycle_id: str,
        trigger: Trigger,
        wanted: frozenset[str] | None,
    ) -> RunStatus:
        run = self._begin(pipeline, source, cycle_id, trigger, wanted)
        try:
            pipeline.function(run)
            status = self._stopped_as() if run.gave_up else run.outcome()
        except RunClosed:
            status = RunStatus.INTERRUPTED
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever it raises we triage)
            status = self._failed(run, error)
        position = run.end(status)
        if position is None:
            return RunStatus.INTERRUPTED
        self._recorder.wait(position)
        return status

    def _begin(
        self,
        pipeline: Registered,
        source: Source,
        cycle_id: str,
        trigger: Trigger,
        wanted: frozenset[str] | None,
    ) -> Run:
        started = events.RunStarted(
            at=self._clock.now(),
            run_id=new_id(self._clock),
            pipeline=pipeline.name,
            source=source.name,
            cycle_id=cycle_id,
            trigger=trigger,
            source_version=source.version(),
        )
        run = Run(started, self._recorder, self._clock, source.options, wanted)
        # Work that cannot be recorded is not begun: this waits for the disk.
        self._recorder.wait(self._recorder.record(started))
        with self._lock:
            self._active[pipeline.name, source.name] = run
            if self._stopping:
                run.cancel()
        return run

    def _stopped_as(self) -> RunStatus:
        return RunStatus.INTERRUPTED if self._stopping else RunStatus.CANCELLED

    def _failed(self, run: Run, error: BaseException) -> RunStatus:
        try:
            run.fail(None, error)
        except RunClosed:
            return RunStatus.INTERRUPTED
        return RunStatus.FAILED

    @property
    def active(self) -> int:
        """How many runs are under way."""
        return len(self._active)

    def is_active(self, pipeline: str, source: str) -> bool:
        """Whether the source is running."""
        return (pipeline, source) in self._active

    def cancel(self) -> None:
        """Asks all runs to stop at their next item."""
        with self._lock:
            self._stopping = True
            for run in self._active.values():
                if run is not None:
                    run.cancel()

    def interrupt(self) -> int:
        """Ends what is still running as interrupted; returns how many runs that were."""
        with self._lock:
            runs = [run for run in self._active.values() if run is not None]
        return sum(run.end(RunStatus.INTERRUPTED) is not None for run in runs)


def new_id(clock: Clock) -> str:
    """An id that sorts by time and says when: ``20261122T040156123-3f9a2c1b``."""
    now = clock.now()
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}-{secrets.token_hex(4)}"
