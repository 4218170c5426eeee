"""Carries out runs from start to end, wherever the work is done."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from msgspec.structs import replace

from daemon.clock import Clock
from daemon.errors import Conflict, RecorderClosed
from daemon.ids import new_id
from daemon.pipelines.catalog import Registered, Source
from daemon.runners.ending import Ending
from daemon.runners.open_run import LeftOpen, OpenRun, nothing_left_open
from daemon.runners.order import RunOrder
from daemon.runners.sink import StoringSink
from daemon.runners.threads import Threads
from daemon.taxonomy import RunStatus, Trigger


class Workers(Protocol):
    """Who calls the function of a run: a thread here, or somebody elsewhere."""

    def carry_out(self, pipeline: Registered, order: RunOrder, run: OpenRun) -> Ending:
        """Calls the pipeline's function, hands `run` what it reports, and says how it ended.

        Asks the function to stop once `run.asked_to_stop` is set. Returns, whatever becomes of the
        function, soon after `run` was ended by somebody else. Never called twice with the same order.
        """
        ...


class Runner:
    """Runs sources, each at most once at a time. The calling thread waits for the end."""

    def __init__(
        self,
        sink: StoringSink,
        clock: Clock,
        elsewhere: Mapping[str, Workers] | None = None,
        left_open: LeftOpen = nothing_left_open,
    ) -> None:
        """`elsewhere` are workers by the `mode` of the pipelines that they are for, besides ``thread``."""
        self._sink = sink
        self._clock = clock
        self._left_open = left_open
        self._workers: dict[str, Workers] = {"thread": Threads(clock), **(elsewhere or {})}
        self._lock = threading.Lock()
        self._active: dict[tuple[str, str], OpenRun | None] = {}
        self._stopping = self._interrupted = False

    def run(
        self,
        pipeline: Registered,
        source: Source,
        cycle_id: str,
        trigger: Trigger,
        wanted: frozenset[str] | None = None,
        refusal: Exception | None = None,
    ) -> RunStatus:
        """One run, of the items `wanted` or all; with a `refusal` it fails for that reason, and nothing is called.

        Returns how it ended; raises `Conflict` when the source is running already.
        """
        with self._claimed(pipeline.name, source.name):
            order = RunOrder(
                run_id=new_id(self._clock),
                pipeline=pipeline.name,
                source=source.name,
                cycle_id=cycle_id,
                trigger=trigger,
                source_version=source.version(),
                options=source.options,
                wanted=wanted,
            )
            run = self._begin(order)
            ending = run.fail(refusal) if refusal else self._carry_out(pipeline, run)
            return run.close(run.outcome(ending, stopping=self._stopping))

    def _carry_out(self, pipeline: Registered, run: OpenRun) -> Ending:
        """Completes the order now that nobody else runs the source, and lets it be worked off.

        Whatever goes wrong is a failure of the run: one that has begun ends.
        """
        order = run.order
        try:
            order = replace(order, known=pipeline.look_up(order.source, order.wanted))
            return self._workers[pipeline.config.mode].carry_out(pipeline, order, run)
        except RecorderClosed:
            raise  # the daemon stopped under it
        except BaseException as error:  # noqa: BLE001 (for triage to understand)
            return run.fail(error)

    @contextmanager
    def _claimed(self, pipeline: str, source: str) -> Iterator[None]:
        """While nobody else may run the source."""
        key = (pipeline, source)
        with self._lock:
            if key in self._active:
                raise Conflict(f"{pipeline}/{source} is running already")
            self._active[key] = None
        try:
            yield
        finally:
            with self._lock:
                del self._active[key]

    def _begin(self, order: RunOrder) -> OpenRun:
        run = OpenRun(order, self._sink, self._clock, self._left_open)
        run.begin()
        with self._lock:
            self._active[order.pipeline, order.source] = run
            stopping, interrupted = self._stopping, self._interrupted
        if stopping:
            run.cancel()
        if interrupted:
            run.end(RunStatus.INTERRUPTED)
        return run

    @property
    def active(self) -> int:
        """How many runs are under way."""
        return len(self._active)

    def is_active(self, pipeline: str, source: str) -> bool:
        """Whether the source is running."""
        return (pipeline, source) in self._active

    def go_on(self) -> None:
        """Further runs go on to their end again, after `cancel`."""
        with self._lock:
            self._stopping = self._interrupted = False

    def cancel(self) -> None:
        """Asks all runs to stop at their next item."""
        with self._lock:
            self._stopping = True
            for run in self._active.values():
                if run is not None:
                    run.cancel()

    def interrupt(self) -> int:
        """Ends what is still running as interrupted; returns how many runs that were.

        One whose begin is not on the disk yet ends by itself once it is.
        """
        with self._lock:
            self._interrupted = True
            runs = [run for run in self._active.values() if run is not None]
        return sum(run.end(RunStatus.INTERRUPTED) is not None for run in runs)
