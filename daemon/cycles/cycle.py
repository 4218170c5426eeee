"""One sweep over a pipeline's sources, several at a time, each on its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from daemon import events
from daemon.clock import Clock
from daemon.cycles.counts import SourceCounts
from daemon.errors import Conflict
from daemon.pipelines.catalog import Catalog, Registered
from daemon.recorder import Recorder
from daemon.runners.cut_short import DaemonDied
from daemon.runners.runner import Runner
from daemon.taxonomy import RunStatus, Trigger
from daemon.work.queue import WorkQueue

log = logging.getLogger("triaged.cycles")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a cycle is to do."""

    cycle_id: str
    pipeline: Registered
    sources: tuple[str, ...]
    trigger: Trigger
    wanted: frozenset[str] | None = None
    """Items that its runs are told; None for all."""
    left_out: int = 0
    """Sources that still wait after a failure: they make no cycle a success."""
    begun: bool = False
    """Whether it has begun in an earlier process, which died."""
    given_up: frozenset[str] = frozenset()
    """Sources that are not run any more, because the daemon died in it each time: their runs fail."""


class Means(NamedTuple):
    """What cycles are carried out with."""

    recorder: Recorder
    runner: Runner
    clock: Clock
    catalog: Catalog
    queue: WorkQueue


class Cycle:
    """A cycle under way. It begins with the first of its sources whose turn comes, and ends with the last."""

    def __init__(self, means: Means, order: Order, counts: SourceCounts) -> None:
        self.cycle_id = order.cycle_id
        self.sources = order.sources
        self.outcome = RunStatus.INTERRUPTED
        """What it came to, once it is over."""
        self._means = means
        self._order = order
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._left = len(self.sources)
        self._statuses = [RunStatus.FAILED] * order.left_out
        self._began: float | None = None
        self._counts = counts
        self._counts.begin(self.sources)
        if not self._left:
            self._begin()
            self._end()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._over.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits for the end; False when the time ran out."""
        return self._over.wait(seconds)

    def carry_out(self, source: str) -> bool:
        """Runs one source as it is now, which the calling thread has claimed; False if it was interrupted."""
        status: RunStatus | None = RunStatus.INTERRUPTED
        try:
            self._begin()
            self._counts.move(source, "running")
            status = self._run(source)
        finally:
            self._counts.move(source, "failed" if status is RunStatus.FAILED else "done")
            self._take(status)
        return status is not RunStatus.INTERRUPTED

    def leave_out(self, source: str) -> None:
        """The turn of a source came while it was running for somebody else."""
        self._log_skipped(f"{self._order.pipeline.name}/{source} is running already")
        self._begin()
        self._take(None)

    def abandon(self) -> None:
        """The turn of a source will not come."""
        self._take(RunStatus.INTERRUPTED)

    def _begin(self) -> None:
        with self._lock:
            if self._began is not None:
                return
            self._began = self._means.clock.monotonic()
            if self._order.begun:
                return
            self._means.recorder.record(
                events.CycleStarted(
                    at=self._means.clock.now(),
                    cycle_id=self.cycle_id,
                    pipeline=self._order.pipeline.name,
                    trigger=self._order.trigger,
                    sources=self.sources,
                )
            )

    def _run(self, source: str) -> RunStatus | None:
        """How the run ended; None when the source is gone, or was running already."""
        if self._means.queue.stopping:
            return RunStatus.INTERRUPTED
        order = self._order
        now = self._means.catalog.find(order.pipeline.name, source)
        if now is None:
            self._log_skipped(f"{order.pipeline.name}/{source} is gone")
            return None
        error = None
        if source in order.given_up:
            error = DaemonDied()
            log_given_up(order.pipeline.name, source, str(error))
        try:
            return self._means.runner.run(
                order.pipeline, now, self.cycle_id, order.trigger, order.wanted, error
            )
        except Conflict as conflict:
            self._log_skipped(str(conflict))
            return None

    def _log_skipped(self, why: str) -> None:
        log.info(why, extra={"event": "run_skipped", "pipeline": self._order.pipeline.name})

    def _take(self, status: RunStatus | None) -> None:
        """What became of one source."""
        with self._lock:
            self._left -= 1
            if status is not None:
                self._statuses.append(status)
            if self._left:
                return
        self._end()

    def _end(self) -> None:
        self._counts.end()
        self.outcome = cycle_outcome(self._statuses)
        if self._means.queue.stopping:
            self.outcome = RunStatus.INTERRUPTED
        try:
            if self._began is not None:
                self._means.recorder.record(self._ended(self._began))
        finally:
            self._over.set()

    def _ended(self, began: float) -> events.CycleEnded:
        return events.CycleEnded(
            at=self._means.clock.now(),
            cycle_id=self.cycle_id,
            pipeline=self._order.pipeline.name,
            outcome=self.outcome,
            duration_seconds=self._means.clock.monotonic() - began,
        )


def log_given_up(pipeline: str, source: str, reason: str) -> None:
    """Work that was asked for is not done."""
    log.error(
        "work that was asked for is given up",
        extra={
            "event": "work_given_up",
            "pipeline": pipeline,
            "source": source,
            "reason": reason,
        },
    )


def cycle_outcome(statuses: Iterable[RunStatus]) -> RunStatus:
    """success when all runs succeeded, failed when all failed, interrupted when one was, else partial."""
    found = set(statuses)
    if RunStatus.INTERRUPTED in found or RunStatus.CANCELLED in found:
        return RunStatus.INTERRUPTED
    if found <= {RunStatus.SUCCESS}:
        return RunStatus.SUCCESS
    return RunStatus.FAILED if found == {RunStatus.FAILED} else RunStatus.PARTIAL
