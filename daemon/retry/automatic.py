"""Runs sources again when their retry is due, within what the gate and the budgets allow.

What is due is kept in the store with the failure, so a restart loses none; a source has at most one
retry waiting, and runs at most once at a time, so none is doubled.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta

from daemon import events
from daemon.clock import Clock
from daemon.config import RetryConfig
from daemon.errors import Conflict, NotFound
from daemon.gate import Gate
from daemon.parts import Part
from daemon.pipelines.catalog import Catalog, Source
from daemon.retry.budget import HOUR, Budget
from daemon.scheduler import Scheduler
from daemon.store.entries import Committed, FailedRun, RetriedRun
from daemon.taxonomy import Priority, RunStatus, Trigger

log = logging.getLogger("triaged.retries")

BUSY_SECONDS = 5.0
"""How long a retry waits for a run of the same source to end, or for its pipeline to be resumed."""


class AutomaticRetries(Part):
    """Listens to what is stored, and keeps one timer for each source that is to be tried again."""

    def __init__(
        self, config: RetryConfig, catalog: Catalog, gate: Gate, scheduler: Scheduler, clock: Clock
    ) -> None:
        super().__init__("automatic retries")
        self._config = config
        self._catalog = catalog
        self._gate = gate
        self._scheduler = scheduler
        self._clock = clock
        self._budget = Budget()
        self._versions: dict[str, str] = {}
        """The versions of the sources that are running, by run."""
        catalog.follow(self._follow_catalog)

    def remember(
        self, failed: Iterable[tuple[FailedRun, str | None]], retried: Iterable[RetriedRun]
    ) -> None:
        """Takes up where the last process ended: what failed, and what was retried in the last hour."""
        for run, version in failed:
            source = self._catalog.find(run.pipeline, run.source)
            if source is not None and source.enabled:
                self._gate.fail(run, version)
        self._gate.not_later_than_now()
        now = self._clock.now()
        for retry in sorted(retried, key=lambda retry: retry.started_at):
            began = self._clock.monotonic() - max(0.0, (now - retry.started_at).total_seconds())
            self._budget.remember(began, _source_name(retry.pipeline, retry.source))
            if retry.category is not None:
                self._budget.remember(began, _category_name(retry.pipeline, retry.category))

    def _start(self) -> None:
        """Sets the timers of what was remembered; those that are overdue go off at once."""
        for pipeline, source in self._all_sources():
            self._arm(pipeline, source)

    def _wind_down(self) -> None:
        for pipeline, source in self._all_sources():
            self._scheduler.cancel(_timer(pipeline, source))

    def _all_sources(self) -> list[tuple[str, str]]:
        pipelines = self._catalog.pipelines.values()
        return [(pipeline.name, source) for pipeline in pipelines for source in pipeline.sources]

    def follow(self, committed: Committed) -> None:
        """A subscriber of the recorder."""
        for entry in committed.entries:
            if isinstance(entry.event, events.RunStarted):
                self._versions[entry.event.run_id] = entry.event.source_version
        for failed in committed.failed_runs:
            if self._catalog.find(failed.pipeline, failed.source) is not None:
                self._gate.fail(failed, self._versions.get(failed.run_id))
                self._arm(failed.pipeline, failed.source)
        for entry in committed.entries:
            if isinstance(entry.event, events.RunEnded):
                self._ended(entry.event)

    def _follow_catalog(self, pipeline: str, name: str, source: Source | None) -> None:
        """What is known of a source that changed or went away holds no longer."""
        if self.release(pipeline, name) and source is not None:
            self._start_at_once(pipeline, source)

    def release(self, pipeline: str, source: str) -> bool:
        """Lets a source run again, whatever it waits for; returns whether its latest run had failed."""
        failed = self._gate.failed(pipeline, source)
        self._gate.clear(pipeline, source)
        self._scheduler.cancel(_timer(pipeline, source))
        return failed is not None

    def go(self, pipeline: str, source: str) -> None:
        """Lets a source run again whose latest run failed, and runs it at once."""
        if self.release(pipeline, source):
            self._start_at_once(pipeline, self._catalog.source(pipeline, source))

    def _start_at_once(self, pipeline: str, source: Source) -> None:
        """Not a retry in terms of the budgets, since a person has asked for it."""
        if source.enabled and not self._scheduler.is_paused(pipeline):
            with suppress(Conflict):  # it runs at the moment, so the next cycle takes it
                self._scheduler.run_now(pipeline, source.name, Trigger.MANUAL)

    def _ended(self, event: events.RunEnded) -> None:
        self._versions.pop(event.run_id, None)
        failed = self._gate.failed(event.pipeline, event.source)
        over = event.status in (RunStatus.SUCCESS, RunStatus.PARTIAL, RunStatus.FAILED)
        if failed is not None and over and failed.run_id != event.run_id:
            self._gate.clear(event.pipeline, event.source)
            self._scheduler.cancel(_timer(event.pipeline, event.source))

    def _arm(self, pipeline: str, source: str) -> None:
        due = self._gate.retry_due(pipeline, source)
        found = self._catalog.find(pipeline, source)
        if due is None or found is None or not found.enabled:
            self._scheduler.cancel(_timer(pipeline, source))
        else:
            self._set_timer(pipeline, source, max(due, self._clock.now()))

    def _set_timer(self, pipeline: str, source: str, moment: datetime) -> None:
        self._scheduler.once(moment, _timer(pipeline, source), lambda: self._due(pipeline, source))

    def _due(self, pipeline: str, source: str) -> None:
        failed = self._gate.failed(pipeline, source)
        if failed is None:
            return
        wait = self._begin(failed)
        if wait > 0:
            moment = self._clock.now() + timedelta(seconds=wait)
            self._set_timer(pipeline, source, moment)

    def _begin(self, failed: FailedRun) -> float:
        """Begins the retry; returns 0, or the seconds to wait when it cannot begin now."""
        if self._scheduler.is_paused(failed.pipeline):
            return BUSY_SECONDS
        if self._scheduler.is_asked_for(failed.pipeline, failed.source):
            return BUSY_SECONDS
        wait = self._budget.spend(self._clock.monotonic(), self._limits(failed))
        if wait > 0:
            log.warning(
                "a retry waits because there were many in the last hour",
                extra={
                    "event": "retry_budget_spent",
                    "pipeline": failed.pipeline,
                    "source": failed.source,
                    "category": failed.category,
                    "seconds": round(wait),
                },
            )
            return wait
        try:
            self._scheduler.run_now(failed.pipeline, failed.source, Trigger.RETRY, Priority.RETRY)
        except Conflict:  # it began in this moment, or the daemon is stopping
            return BUSY_SECONDS
        except NotFound:  # it went away in this moment
            return 0.0
        return 0.0

    def _limits(self, failed: FailedRun) -> list[tuple[str, int]]:
        return [
            (_source_name(failed.pipeline, failed.source), self._config.source_budget),
            (_category_name(failed.pipeline, failed.category), self._config.category_budget),
        ]

    def pending(self) -> dict[str, int]:
        """Sources of each pipeline that wait for a retry."""
        counts: dict[str, int] = {}
        for pipeline in self._catalog.pipelines.values():
            due = [self._gate.retry_due(pipeline.name, source) for source in pipeline.sources]
            counts[pipeline.name] = sum(moment is not None for moment in due)
        return counts


def budget_window(now: datetime) -> datetime:
    """Retries that began before this moment do not count any more."""
    return now - timedelta(seconds=HOUR)


def _timer(pipeline: str, source: str) -> str:
    return f"retry {pipeline}/{source}"


def _source_name(pipeline: str, source: str) -> str:
    return f"source {pipeline}/{source}"


def _category_name(pipeline: str, category: str) -> str:
    return f"category {pipeline}/{category}"
