"""The one queue that all runs go through: whoever asks, and whatever for.

Cycles by time, people, automatic retries and retries by hand put tasks into it. A pipeline's `concurrency`
holds for all of them together, and so does what a server allows (`servers`). A source runs at most once at a
time, and who comes first is decided by priority and age (`lane`). Threads are there only while there is work:
one that has done its task takes the next.

Work that is kept is in the store from when it was asked for until it is done. A process that dies leaves it
there, and the next one takes it up.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial

from daemon.clock import Clock
from daemon.errors import RecorderClosed
from daemon.events import Work, WorkChanged, WorkQueued
from daemon.pipelines.catalog import Catalog
from daemon.recorder import Recorder
from daemon.store.entries import Committed
from daemon.taxonomy import Category, Priority, WorkState
from daemon.work.lane import Lane, Task
from daemon.work.servers import ServerBounds

log = logging.getLogger("triaged.work")


class WorkQueue:
    """Work that waits, and the threads that do it. Turns come until `stop`, and again after `go_on`."""

    def __init__(self, catalog: Catalog, recorder: Recorder, clock: Clock) -> None:
        self._catalog = catalog
        self._recorder = recorder
        self._clock = clock
        self._changed = threading.Condition()
        self._lanes: dict[str, Lane] = {}
        self._servers = ServerBounds(catalog, clock)
        self._stopping = False

    @property
    def stopping(self) -> bool:
        """Whether nothing further is begun."""
        return self._stopping

    def put(self, tasks: Iterable[Task], *, again: bool = False) -> None:
        """Lets tasks wait for their turns, which may come at once. After `stop` they are abandoned.

        Those that are kept are on their way to the store when this returns; `again`: they are there.
        """
        lanes: dict[str, Lane] = {}
        abandoned: list[Task] = []
        with self._changed:
            for task in tasks:
                if self._stopping:
                    abandoned.append(task)
                else:
                    if task.kept and not again:
                        self._recorder.record(WorkQueued(at=task.work.asked_at, work=task.work))
                    lane = lanes[task.work.pipeline] = self._lane(task.work.pipeline)
                    lane.add(task)
        for task in abandoned:
            task.abandon()
        for lane in lanes.values():
            self._begin(lane)

    def look(self) -> None:
        """Begins what waits though nothing is in its way any more: no thread, or another suspect."""
        with self._changed:
            lanes = list(self._lanes.values())
        for lane in lanes:
            self._begin(lane)

    def follow(self, committed: Committed) -> None:
        """A subscriber of the recorder: a run that was refused for being one too many is heard of before it ends."""
        for failed in committed.failed_runs:
            if failed.category == Category.RATE_LIMIT:
                with self._changed:
                    lane = self._lanes.get(failed.pipeline)
                    at_work = [] if lane is None else list(lane.claimed)
                self._servers.refuse(failed.pipeline, failed.source, at_work)

    def _begin(self, lane: Lane) -> None:
        while (task := self._claim(lane)) is not None and self._start(lane, task):
            pass

    def _lane(self, pipeline: str) -> Lane:
        lane = self._lanes.get(pipeline)
        if lane is None:
            registered = self._catalog.pipelines.get(pipeline)
            limit = registered.config.concurrency if registered else 1
            lane = self._lanes[pipeline] = Lane(limit, partial(self._servers.has_room, pipeline))
        return lane

    def _claim(self, lane: Lane) -> Task | None:
        with self._changed:
            claim = lane.claim(suspects=not any(e.has_suspect for e in self._lanes.values()))
        for task in claim.left_out:
            _guarded(task, task.leave_out)
        return claim.task

    def _start(self, lane: Lane, task: Task) -> bool:
        """Whether there is a thread for it; if not, it waits again."""
        name = f"run-{task.work.pipeline}"
        thread = threading.Thread(target=self._work, args=(lane, task), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system lets this process have no more
            log.exception(
                "work waits for a thread",
                extra={
                    "event": "work_waits",
                    "pipeline": task.work.pipeline,
                    "source": task.work.source,
                },
            )
            self._give_back(lane, task)
            return False
        return True

    def _give_back(self, lane: Lane, task: Task) -> None:
        with self._changed:
            lane.finish(task)
            if not self._stopping:
                lane.add(task)
                return
        _guarded(task, task.abandon)

    def _work(self, lane: Lane, first: Task) -> None:
        task: Task | None = first
        while task is not None:
            _guarded(task, partial(self._carry_out, task))
            with self._changed:
                lane.finish(task)
                self._changed.notify_all()
            if task.is_suspect:
                self.look()  # the next may wait in any lane
            task = self._claim(lane)

    def _carry_out(self, task: Task) -> None:
        self._tell(task, WorkState.CLAIMED)
        done = True
        try:
            done = task.carry_out()
        finally:  # what failed because of a defect would fail again
            self._tell(task, WorkState.DONE if done else WorkState.QUEUED)

    def _tell(self, task: Task, state: WorkState) -> None:
        if task.kept:
            self._record(task.work, state)

    def forget(self, work: Work) -> None:
        """Work that is kept, and is not done after all."""
        self._record(work, WorkState.DONE)

    def _record(self, work: Work, state: WorkState) -> None:
        self._recorder.record(
            WorkChanged(
                at=self._clock.now(), cycle_id=work.cycle_id, source=work.source, state=state
            )
        )

    def asked_for(self, pipeline: str) -> set[str]:
        """Sources that have their turn, or wait for it because somebody asked, and not a cycle alone."""
        with self._changed:
            lane = self._lanes.get(pipeline)
            if lane is None:
                return set()
            wanted = (task.work for task in lane.waiting)
            return {*lane.claimed, *(w.source for w in wanted if w.priority is not Priority.CYCLE)}

    def at_work(self, pipeline: str) -> set[str]:
        """Sources that have their turn, or wait for it, whoever asked."""
        with self._changed:
            lane = self._lanes.get(pipeline)
            return set() if lane is None else lane.sources

    def has_turn(self, pipeline: str) -> bool:
        """Whether any work of the pipeline has its turn, its run begun or about to."""
        with self._changed:
            lane = self._lanes.get(pipeline)
            return lane is not None and bool(lane.claimed)

    def waiting(self, pipeline: str | None = None) -> list[Work]:
        """What waits for its turn, of one pipeline or of all: by pipeline, each in the order of the turns."""
        with self._changed:
            return [
                task.work
                for name, lane in sorted(self._lanes.items())
                for task in lane.waiting
                if pipeline in (None, name)
            ]

    def lengths(self) -> dict[str, int]:
        """How many wait, by pipeline; those without any may be left out."""
        with self._changed:
            return {name: len(lane.waiting) for name, lane in self._lanes.items()}

    def stop(self) -> None:
        """Lets no further turn come; what has its turn goes on."""
        with self._changed:
            self._stopping = True
            abandoned = [task for lane in self._lanes.values() for task in lane.abandon()]
            self._changed.notify_all()
        for task in abandoned:
            _guarded(task, task.abandon)

    def go_on(self) -> None:
        """Turns come again, after `stop`."""
        with self._changed:
            self._stopping = False

    def wait(self, seconds: float) -> bool:
        """Waits till there is no work; False when the time ran out."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, seconds)

    def _is_idle(self) -> bool:
        return not any(lane.claimed or lane.waiting for lane in self._lanes.values())


def _guarded(task: Task, do: Callable[[], None]) -> None:
    """Whatever goes wrong with one task keeps no other from its turn."""
    try:
        do()
    except RecorderClosed:
        pass  # the daemon stopped under it, and marks its run at the next start
    except Exception:
        log.exception(
            "work failed",
            extra={
                "event": "work_failed",
                "pipeline": task.work.pipeline,
                "source": task.work.source,
            },
        )
