"""Runs that are carried out in worker processes: one that crashes takes nothing along but itself."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from daemon.clock import Clock
from daemon.event_codec import EventCodec
from daemon.events import Facts
from daemon.parts import Part
from daemon.pipelines.catalog import Registered
from daemon.runners.child import Child, leave_together
from daemon.runners.ending import Ending
from daemon.runners.open_run import OpenRun
from daemon.runners.order import RunOrder
from daemon.runners.supervision import Supervision
from daemon.runners.wire import Assignment, LogFormat

IDLE_SECONDS = 60.0
"""How long a worker is kept that has nothing to do."""
MOST_RUNS = 100
"""After so many runs a worker is replaced: what a library leaks does not add up."""


class Processes(Part):
    """Worker processes, as many as there are runs at a time. See `Workers`.

    A worker belongs to one pipeline. It is begun when it is needed and, between start and stop, kept for a while.
    """

    def __init__(
        self,
        facts: Sequence[type[Facts]],
        clock: Clock,
        log_level: str = "info",
        log_format: LogFormat = "auto",
    ) -> None:
        """`facts` are all kinds of facts that runs may report."""
        super().__init__("worker processes")
        self._codec = EventCodec(facts)
        self._clock = clock
        self._log_level = log_level
        self._log_format: LogFormat = log_format
        self._lock = threading.Lock()
        self._idle: defaultdict[str, list[Child]] = defaultdict(list)
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._timer: threading.Timer | None = None
        self._keeps = False

    def carry_out(self, pipeline: Registered, order: RunOrder, run: OpenRun) -> Ending:
        """See `Workers.carry_out`."""
        with self._turn(pipeline):
            if run.is_closed:
                return Ending.CLOSED  # while it waited for its turn
            try:
                child = self._take(pipeline)
            except Exception as error:  # noqa: BLE001 (the machine has no process left: a failure of this run)
                return run.fail(error)
            supervision = Supervision(
                child, run, self._codec, self._clock, pipeline.config.run_time_limit
            )
            try:
                return supervision.watch(order)
            finally:
                if supervision.is_reusable and child.runs < MOST_RUNS:
                    self._give_back(pipeline, child)
                else:
                    child.kill()

    @contextmanager
    def _turn(self, pipeline: Registered) -> Iterator[None]:
        """A database is open in one process at a time: runs that write one take turns."""
        if not pipeline.config.databases:
            yield
            return
        with self._lock:
            turn = self._turns[pipeline.name]
        with turn:
            yield

    def _take(self, pipeline: Registered) -> Child:
        with self._lock:
            idle = self._idle[pipeline.name]
            while idle:
                child = idle.pop()
                if child.is_alive:
                    return child
                child.kill()
        return self._new(pipeline)

    def _new(self, pipeline: Registered) -> Child:
        child, limit = Child(), pipeline.config.run_memory_limit
        try:
            child.tell(Assignment(pipeline.function, limit, self._log_level, self._log_format))
        except BaseException:  # a function that cannot be sent
            child.kill()
            raise
        return child

    def _give_back(self, pipeline: Registered, child: Child) -> None:
        with self._lock:
            if self._keeps:
                self._idle[pipeline.name].append(child)
                self._wait_to_tidy()
                return
        child.leave()

    def _wait_to_tidy(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(IDLE_SECONDS, self.tidy)
        self._timer.daemon = True
        self._timer.start()

    def tidy(self) -> None:
        """Lets workers leave that have nothing to do."""
        with self._lock:
            idle = [child for children in self._idle.values() for child in children]
            self._idle.clear()
        leave_together(idle)

    def _start(self) -> None:
        self._keeps = True

    def _stop(self, seconds: float) -> None:  # noqa: ARG002 (nobody is waited for who has nothing to do)
        """Lets workers leave. One that has a run is ended by whoever ends the run."""
        with self._lock:
            self._keeps = False
            if self._timer is not None:
                self._timer.cancel()
        self.tidy()
