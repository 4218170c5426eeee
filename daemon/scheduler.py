"""When cycles run: APScheduler triggers them, one at a time for each pipeline; people may run them too.

It decides when and what. Whose turn it is then, the queue decides.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from daemon.clock import Clock
from daemon.config import PipelineConfig
from daemon.cycles.cycles import Cycles
from daemon.errors import Conflict, Problem
from daemon.events import CycleSkipped, Work
from daemon.gate import Gate
from daemon.parts import Part
from daemon.pipelines.catalog import Catalog, Registered, Source
from daemon.recorder import Recorder
from daemon.runners.runner import Runner
from daemon.taxonomy import Priority, Trigger
from daemon.work.queue import WorkQueue

log = logging.getLogger("triaged.scheduler")

THREADS = 4
"""What is due is looked at in these; what takes long is not done in them."""

MOST_NAMED = 20
"""Sources that a line of the log names."""

LOOK_SECONDS = 5.0
"""How often it is looked whether something waits that could have its turn."""


class PipelineStatus(msgspec.Struct, frozen=True):
    """How a pipeline stands."""

    name: str
    paused: bool
    running: bool
    interval_seconds: float | None
    cron: str | None
    next_run_at: datetime | None
    concurrency: int
    sources: list[str]
    queued: list[Work]
    """Runs of it that wait for their turn."""


class Scheduler(Part):
    """Begins cycles: by time from its start to its stop, and on demand while turns come in the queue."""

    def __init__(
        self,
        catalog: Catalog,
        cycles: Cycles,
        runner: Runner,
        queue: WorkQueue,
        recorder: Recorder,
        clock: Clock,
        gate: Gate,
        paused: Iterable[str] = (),
    ) -> None:
        super().__init__("scheduler")
        self._catalog = catalog
        self._cycles = cycles
        self._runner = runner
        self._queue = queue
        self._recorder = recorder
        self._clock = clock
        self._gate = gate
        self._paused = set(paused)
        self._timers: BackgroundScheduler | None = None
        self._asking = threading.Lock()
        """So that of several who ask for the same at once, one is told that it is queued already."""
        self._pausing = threading.Lock()
        """So that a cycle has begun before `set_paused` returns, or does not begin."""

    def _start(self) -> None:
        """A pipeline with an interval has its first cycle at once."""
        executors = {"default": ThreadPoolExecutor(THREADS)}
        timers = BackgroundScheduler(timezone=UTC, executors=executors)
        timers.add_listener(self._skipped, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        for pipeline in self._catalog.pipelines.values():
            trigger = make_trigger(pipeline.config)
            if trigger is not None:
                self._add(timers, pipeline, trigger)
        timers.start()
        self._timers = timers
        self.every(LOOK_SECONDS, "what waits", self._queue.look)

    def _add(
        self,
        timers: BackgroundScheduler,
        pipeline: Registered,
        trigger: IntervalTrigger | CronTrigger,
    ) -> None:
        at_once = {"next_run_time": self._clock.now()} if pipeline.interval_seconds else {}
        timers.add_job(
            self._due,
            trigger,
            args=[pipeline.name],
            id=pipeline.name,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=max(1, round(pipeline.config.misfire_grace)),
            **at_once,
        )

    def every(self, seconds: float, name: str, job: Callable[[], None]) -> None:
        """Runs some upkeep at an interval, the first time at once."""
        if (timers := self._timers) is not None:
            now = self._clock.now()
            timers.add_job(
                job,
                Every(seconds=seconds, timezone=UTC),
                id=name,
                next_run_time=now,
                misfire_grace_time=None,
                coalesce=True,
            )

    def once(self, moment: datetime, name: str, job: Callable[[], None]) -> None:
        """Runs a job at a moment, however late; another one of that name takes its place."""
        if (timers := self._timers) is not None:
            timers.add_job(
                job,
                DateTrigger(moment),
                id=name,
                replace_existing=True,
                misfire_grace_time=None,
            )

    def cancel(self, name: str) -> None:
        """Forgets a job of `once`, if it has not run yet, or of `every`."""
        if (timers := self._timers) is not None:
            with suppress(JobLookupError):
                timers.remove_job(name)

    def clock_moved(self, seconds: float) -> None:
        """The wall clock was set.

        Back: what comes at an interval comes after as long as before, cron by the new time. Forward, as after a
        machine's sleep: what is overdue comes now, once.
        """
        if (timers := self._timers) is None:
            return
        for job in timers.get_jobs():
            with suppress(JobLookupError):
                job.modify(next_run_time=self._moved(job, seconds))

    def _moved(self, job: Job, seconds: float) -> datetime:
        now = self._clock.now()
        planned: datetime = job.next_run_time
        if seconds > 0:
            return max(now, planned)
        if isinstance(job.trigger, CronTrigger):
            due: datetime = job.trigger.get_next_fire_time(None, now)
            return due
        return planned + timedelta(seconds=seconds)

    def is_asked_for(self, pipeline: str, source: str) -> bool:
        """Whether the source is running, or will be because somebody asked for it, and not a cycle alone."""
        return self._runner.is_active(pipeline, source) or source in self._queue.asked_for(pipeline)

    def _due(self, name: str) -> None:
        with self._pausing:
            self._begin_unless_kept(name)

    def _begin_unless_kept(self, name: str) -> None:
        if name in self._paused:
            self._skip(name, "paused")
        elif not self._queue.stopping:
            self._begin_due(self._catalog.pipeline(name))

    def _begin_due(self, pipeline: Registered) -> None:
        """A cycle of those that are done with the one before: one that takes long holds none of the others."""
        enabled = [source for source in pipeline.sources.values() if source.enabled]
        busy = self._queue.at_work(pipeline.name)
        free = [source for source in enabled if source.name not in busy]
        ready = [s for s in free if self._gate.waiting(pipeline.name, s) is None]
        late = tuple(source.name for source in enabled if source.name in busy)
        begins = bool(ready) or not late
        if late:
            self._skip(pipeline.name, "overlap", late, began=begins)
        if begins:
            waiting = len(free) - len(ready)
            self._cycles.begin(pipeline, ready, Trigger.SCHEDULE, Priority.CYCLE, waiting)

    def _skipped(self, event: Any) -> None:
        if event.job_id in self._catalog.pipelines:  # upkeep is no cycle
            self._skip(event.job_id, "missed" if event.code == EVENT_JOB_MISSED else "overlap")

    def _skip(
        self, pipeline: str, reason: str, sources: tuple[str, ...] = (), *, began: bool = False
    ) -> None:
        """`sources` are left out of the cycle, which `began` with the others or did not run at all."""
        log.warning(
            "a cycle began without some of its sources" if began else "a cycle was skipped",
            extra={
                "event": "sources_skipped" if began else "cycle_skipped",
                "pipeline": pipeline,
                "reason": reason,
                "sources": list(sources[:MOST_NAMED]),
                "count": len(sources),
            },
        )
        at = self._clock.now()
        self._recorder.record(
            CycleSkipped(at=at, pipeline=pipeline, reason=reason, sources=sources, began=began)
        )

    def set_paused(self, pipeline: str, paused: bool) -> None:
        """Whether cycles of the pipeline may start by themselves."""
        with self._pausing:
            (self._paused.add if paused else self._paused.discard)(pipeline)

    def is_paused(self, pipeline: str) -> bool:
        """Whether a person paused the pipeline."""
        return pipeline in self._paused

    def run_now(
        self,
        pipeline: str,
        source: str | None,
        trigger: Trigger,
        priority: Priority = Priority.PERSON,
    ) -> str:
        """Lets a cycle begin when its turn comes, even of a paused pipeline; returns its id.

        What a person asks for is on its way to the store, which keeps it until it is done. Raises
        `Conflict` when everything that it would run is running, or asked for, already.
        """
        registered = self._catalog.pipeline(pipeline)
        kept = priority is Priority.PERSON  # what is tried again by itself follows from its failure
        with self._asking:
            sources = self._to_run(registered, source)
            if self._queue.stopping:
                raise Conflict("the daemon is stopping")
            return self._cycles.begin(registered, sources, trigger, priority, kept=kept).cycle_id

    def _to_run(self, pipeline: Registered, source: str | None) -> list[Source]:
        if source is not None:
            chosen = [self._catalog.source(pipeline.name, source)]
        else:
            chosen = [found for found in pipeline.sources.values() if found.enabled]
        asked = self._queue.asked_for(pipeline.name)
        free = [
            s
            for s in chosen
            if s.name not in asked and not self._runner.is_active(pipeline.name, s.name)
        ]
        if not free:
            what = pipeline.name if source is None else f"{pipeline.name}/{source}"
            if not chosen:
                raise Conflict(f"{what} has no sources")
            running = any(self._runner.is_active(pipeline.name, s.name) for s in chosen)
            raise Conflict(f"{what} is {'running' if running else 'queued'} already")
        return free

    def describe(self) -> list[PipelineStatus]:
        """How all pipelines stand, by name."""
        return [self._describe(pipeline) for _, pipeline in sorted(self._catalog.pipelines.items())]

    def next_cycles(self) -> dict[str, float]:
        """When the next cycle of each pipeline is due, in seconds since 1970; without those on demand."""
        if (timers := self._timers) is None:
            return {}
        due = {job.id: job.next_run_time for job in timers.get_jobs()}
        return {name: due[name].timestamp() for name in self._catalog.pipelines if due.get(name)}

    def _describe(self, pipeline: Registered) -> PipelineStatus:
        timers = self._timers
        job = timers.get_job(pipeline.name) if timers else None
        return PipelineStatus(
            name=pipeline.name,
            paused=pipeline.name in self._paused,
            running=self._queue.has_turn(pipeline.name),
            interval_seconds=pipeline.interval_seconds,
            cron=pipeline.config.cron,
            next_run_at=job.next_run_time if job else None,
            concurrency=pipeline.config.concurrency,
            sources=list(pipeline.sources),
            queued=self._queue.waiting(pipeline.name),
        )

    def _wind_down(self) -> None:
        timers, self._timers = self._timers, None
        if timers is not None:
            timers.shutdown(wait=False)


class Every(IntervalTrigger):  # type: ignore[misc]
    """An interval that passes over what was missed in one step, however far the clock was set forward."""

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        due: datetime | None = super().get_next_fire_time(previous_fire_time, now)
        if due is None or previous_fire_time is None or due >= now:
            return due
        interval: timedelta = self.interval
        return due + (now - due) // interval * interval


def make_trigger(config: PipelineConfig) -> IntervalTrigger | CronTrigger | None:
    """APScheduler's trigger for a schedule; None for a pipeline that runs on demand."""
    if config.cron is not None:
        return CronTrigger.from_crontab(config.cron, timezone=UTC)
    if config.interval is not None:
        return Every(seconds=config.interval, timezone=UTC)
    return None


def check_schedule(name: str, config: PipelineConfig) -> list[Problem]:
    """What is wrong with a pipeline's schedule."""
    try:
        make_trigger(config)
    except ValueError as error:
        return [
            Problem(
                f"pipelines.{name}.cron",
                f'expected five fields, such as "0 3 * * *", got {config.cron!r}: {error}',
            )
        ]
    return []
