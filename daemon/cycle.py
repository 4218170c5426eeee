"""One sweep over a pipeline's sources, several at a time, each on its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from daemon import events
from daemon.clock import Clock
from daemon.errors import Conflict
from daemon.ids import new_id
from daemon.pipelines.catalog import Catalog, Registered, Source
from daemon.recorder import Recorder
from daemon.runners.runner import Runner
from daemon.taxonomy import RunStatus, Trigger

log = logging.getLogger("triaged.cycles")


class SourceCounts:
    """Sources of a pipeline's current cycle by state, for the gauge.

    A retry is a cycle beside the ordinary one: while several are under way, they count together.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self.counts = dict.fromkeys(("pending", "running", "done", "failed"), 0)

    @contextmanager
    def cycle(self, sources: int) -> Iterator[None]:
        """While a cycle of that many sources is under way."""
        with self._lock:
            if not self._under_way:
                self.counts = dict.fromkeys(self.counts, 0)
            self._under_way += 1
            self.counts["pending"] += sources
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def move(self, before: str, after: str) -> None:
        """A source went from one state to another."""
        with self._lock:
            self.counts[before] -= 1
            self.counts[after] += 1


class Cycles:
    """Carries out cycles in the calling thread."""

    def __init__(self, recorder: Recorder, runner: Runner, clock: Clock, catalog: Catalog) -> None:
        self._recorder = recorder
        self._runner = runner
        self._clock = clock
        self._catalog = catalog
        self._stopping = threading.Event()
        self.sources: dict[str, SourceCounts] = {}

    def stop(self) -> None:
        """Lets no further run begin."""
        self._stopping.set()

    def run(
        self,
        pipeline: Registered,
        sources: Iterable[Source],
        trigger: Trigger,
        cycle_id: str | None = None,
        left_out: int = 0,
        wanted: frozenset[str] | None = None,
    ) -> RunStatus:
        """Runs the sources, all items or those `wanted`, and returns what the cycle came to.

        `left_out` sources still wait after a failure: they make no cycle a success.
        """
        chosen = tuple(sources)
        started = events.CycleStarted(
            at=self._clock.now(),
            cycle_id=cycle_id or new_id(self._clock),
            pipeline=pipeline.name,
            trigger=trigger,
            sources=tuple(source.name for source in chosen),
        )
        began = self._clock.monotonic()
        self._recorder.record(started)
        counts = self.sources.setdefault(pipeline.name, SourceCounts())
        with (
            counts.cycle(len(chosen)),
            ThreadPoolExecutor(
                pipeline.config.concurrency, thread_name_prefix=f"run-{pipeline.name}"
            ) as pool,
        ):
            statuses = list(
                pool.map(
                    lambda source: self._run(pipeline, source, started, counts, wanted), chosen
                )
            )
        ended = [status for status in statuses if status is not None]
        outcome = cycle_outcome(ended + [RunStatus.FAILED] * left_out)
        if self._stopping.is_set():
            outcome = RunStatus.INTERRUPTED
        self._recorder.record(
            events.CycleEnded(
                at=self._clock.now(),
                cycle_id=started.cycle_id,
                pipeline=pipeline.name,
                outcome=outcome,
                duration_seconds=self._clock.monotonic() - began,
            )
        )
        return outcome

    def _run(
        self,
        pipeline: Registered,
        source: Source,
        started: events.CycleStarted,
        counts: SourceCounts,
        wanted: frozenset[str] | None,
    ) -> RunStatus | None:
        """One source as it is once its turn has come; None when it is gone, or was running already."""
        if self._stopping.is_set():
            return RunStatus.INTERRUPTED
        counts.move("pending", "running")
        status: RunStatus | None = None
        try:
            now = self._catalog.find(pipeline.name, source.name)
            if now is not None:
                status = self._runner.run(pipeline, now, started.cycle_id, started.trigger, wanted)
        except Conflict as conflict:
            log.info(str(conflict), extra={"event": "run_skipped", "pipeline": pipeline.name})
        finally:
            counts.move("running", "failed" if status is RunStatus.FAILED else "done")
        return status


def cycle_outcome(statuses: Iterable[RunStatus]) -> RunStatus:
    """success when all runs succeeded, failed when all failed, interrupted when one was, else partial."""
    found = set(statuses)
    if RunStatus.INTERRUPTED in found or RunStatus.CANCELLED in found:
        return RunStatus.INTERRUPTED
    if found <= {RunStatus.SUCCESS}:
        return RunStatus.SUCCESS
    return RunStatus.FAILED if found == {RunStatus.FAILED} else RunStatus.PARTIAL
