"""One sweep over a pipeline's sources, several at a time, each on its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

import msgspec

from daemon import events
from daemon.clock import Clock
from daemon.errors import Conflict
from daemon.ids import new_id
from daemon.pipelines.catalog import Catalog, Registered, Source
from daemon.recorder import Recorder
from daemon.runners.runner import Runner
from daemon.taxonomy import Priority, RunStatus, Trigger
from daemon.work.queue import WorkQueue

log = logging.getLogger("triaged.cycles")


class SourceCounts:
    """Sources of a pipeline's current cycle by state, for the gauge.

    A retry is a cycle beside the ordinary one: while several are under way, they count together.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self.counts = dict.fromkeys(("pending", "running", "done", "failed"), 0)

    def begin(self, sources: int) -> None:
        """A cycle of that many sources is under way."""
        with self._lock:
            if not self._under_way:
                self.counts = dict.fromkeys(self.counts, 0)
            self._under_way += 1
            self.counts["pending"] += sources

    def end(self) -> None:
        """One is no longer."""
        with self._lock:
            self._under_way -= 1

    def move(self, before: str, after: str) -> None:
        """A source went from one state to another."""
        with self._lock:
            self.counts[before] -= 1
            self.counts[after] += 1


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a cycle is to do."""

    cycle_id: str
    pipeline: Registered
    sources: tuple[str, ...]
    trigger: Trigger
    wanted: frozenset[str] | None
    """Items that its runs are told; None for all."""
    left_out: int
    """Sources that still wait after a failure: they make no cycle a success."""


class Cycle:
    """A cycle under way. It begins with the first of its sources whose turn comes, and ends with the last."""

    def __init__(self, cycles: Cycles, order: Order) -> None:
        self.cycle_id = order.cycle_id
        self.sources = order.sources
        self.outcome = RunStatus.INTERRUPTED
        """What it came to, once it is over."""
        self._cycles = cycles
        self._order = order
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._left = len(self.sources)
        self._statuses = [RunStatus.FAILED] * order.left_out
        self._began: float | None = None
        self._counts = cycles.sources.setdefault(order.pipeline.name, SourceCounts())
        self._counts.begin(self._left)
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

    def carry_out(self, source: str) -> None:
        """Runs one source as it is now. The calling thread has claimed it."""
        status: RunStatus | None = RunStatus.INTERRUPTED
        state = "pending"
        try:
            self._begin()
            self._counts.move(state, "running")
            state = "running"
            status = self._run(source)
        finally:
            self._counts.move(state, "failed" if status is RunStatus.FAILED else "done")
            self._take(status)

    def leave_out(self, source: str) -> None:
        """The turn of a source came while it was running for somebody else."""
        self._log_skipped(f"{self._order.pipeline.name}/{source} is running already")
        self._begin()
        self._counts.move("pending", "done")
        self._take(None)

    def abandon(self) -> None:
        """The turn of a source will not come."""
        self._take(RunStatus.INTERRUPTED)

    def _begin(self) -> None:
        with self._lock:
            if self._began is not None:
                return
            self._began = self._cycles.clock.monotonic()
            self._cycles.recorder.record(
                events.CycleStarted(
                    at=self._cycles.clock.now(),
                    cycle_id=self.cycle_id,
                    pipeline=self._order.pipeline.name,
                    trigger=self._order.trigger,
                    sources=self.sources,
                )
            )

    def _run(self, source: str) -> RunStatus | None:
        """How the run ended; None when the source is gone, or was running already."""
        if self._cycles.queue.stopping:
            return RunStatus.INTERRUPTED
        order = self._order
        now = self._cycles.catalog.find(order.pipeline.name, source)
        if now is None:
            return None
        try:
            return self._cycles.runner.run(
                order.pipeline, now, self.cycle_id, order.trigger, order.wanted
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
        if self._cycles.queue.stopping:
            self.outcome = RunStatus.INTERRUPTED
        try:
            if self._began is not None:
                self._cycles.recorder.record(self._ended(self._began))
        finally:
            self._over.set()

    def _ended(self, began: float) -> events.CycleEnded:
        return events.CycleEnded(
            at=self._cycles.clock.now(),
            cycle_id=self.cycle_id,
            pipeline=self._order.pipeline.name,
            outcome=self.outcome,
            duration_seconds=self._cycles.clock.monotonic() - began,
        )


class SourceTask:
    """One source of a cycle, as the queue knows it. See `Task`."""

    def __init__(self, cycle: Cycle, work: events.Work) -> None:
        self.work = work
        self.waits_for_source = work.priority is not Priority.CYCLE
        self._cycle = cycle

    def carry_out(self) -> None:
        self._cycle.carry_out(self.work.source)

    def leave_out(self) -> None:
        self._cycle.leave_out(self.work.source)

    def abandon(self) -> None:
        self._cycle.abandon()


class Cycles:
    """Begins cycles, whose sources wait in the queue for their turns."""

    def __init__(
        self,
        recorder: Recorder,
        runner: Runner,
        clock: Clock,
        catalog: Catalog,
        queue: WorkQueue,
    ) -> None:
        self.recorder = recorder
        self.runner = runner
        self.clock = clock
        self.catalog = catalog
        self.queue = queue
        self.sources: dict[str, SourceCounts] = {}

    def begin(
        self,
        pipeline: Registered,
        sources: Iterable[Source],
        trigger: Trigger,
        priority: Priority = Priority.PERSON,
        left_out: int = 0,
    ) -> Cycle:
        """Lets the sources wait for their turns. `left_out`: see `Order`."""
        cycle = self._make(pipeline, sources, trigger, left_out=left_out)
        now = self.clock.now()
        self.queue.put(
            SourceTask(
                cycle,
                events.Work(
                    cycle_id=cycle.cycle_id,
                    pipeline=pipeline.name,
                    source=source,
                    trigger=trigger,
                    priority=priority,
                    asked_at=now,
                ),
            )
            for source in cycle.sources
        )
        return cycle

    def run(self, pipeline: Registered, sources: Iterable[Source], trigger: Trigger) -> RunStatus:
        """Runs the sources when their turns come, waits for that, and returns what it came to."""
        cycle = self.begin(pipeline, sources, trigger)
        cycle.wait()
        return cycle.outcome

    def carry_out(
        self, pipeline: Registered, source: Source, trigger: Trigger, wanted: frozenset[str] | None
    ) -> str:
        """A cycle of one source, of all items or those `wanted`, in the calling thread, which has claimed it.

        Returns the id of the cycle, which has no run when the daemon is stopping.
        """
        cycle = self._make(pipeline, [source], trigger, wanted=wanted)
        cycle.carry_out(source.name)
        return cycle.cycle_id

    def _make(
        self,
        pipeline: Registered,
        sources: Iterable[Source],
        trigger: Trigger,
        left_out: int = 0,
        wanted: frozenset[str] | None = None,
    ) -> Cycle:
        order = Order(
            cycle_id=new_id(self.clock),
            pipeline=pipeline,
            sources=tuple(source.name for source in sources),
            trigger=trigger,
            wanted=wanted,
            left_out=left_out,
        )
        return Cycle(self, order)


def cycle_outcome(statuses: Iterable[RunStatus]) -> RunStatus:
    """success when all runs succeeded, failed when all failed, interrupted when one was, else partial."""
    found = set(statuses)
    if RunStatus.INTERRUPTED in found or RunStatus.CANCELLED in found:
        return RunStatus.INTERRUPTED
    if found <= {RunStatus.SUCCESS}:
        return RunStatus.SUCCESS
    return RunStatus.FAILED if found == {RunStatus.FAILED} else RunStatus.PARTIAL
