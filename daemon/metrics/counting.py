"""Counts what is on disk, event by event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from typing import assert_never

from daemon import events
from daemon.metrics.declared import Declared
from daemon.metrics.sources import SourceKey
from daemon.store.entries import Committed, Entry
from daemon.taxonomy import RetryOutcome, Trigger

FailureLabels = tuple[str, str, str]
"""Pipeline, category, retryable."""


class Counting:
    """What each stored event means to the counters."""

    def __init__(
        self, declared: Declared, pipelines: Container[str], sources: Container[SourceKey]
    ) -> None:
        """`sources` are those that have series of their own."""
        self._declared = declared
        self._pipelines = pipelines
        self._sources = sources
        self.cycles_skipped_of: Counter[SourceKey] = Counter()
        """Due cycles that began without a source."""
        self._retrying: set[str] = set()
        self._failed: Counter[FailureLabels] = Counter()
        self._failed_in: dict[FailureLabels, str] = {}

    def count(self, committed: Committed) -> None:
        """Takes in what one commit stored."""
        self._declared.commit_seconds.observe(committed.seconds)
        for entry in committed.entries:
            self._count(entry)
        self._add_failures()

    def _count(self, entry: Entry) -> None:  # noqa: C901 (one case for each kind of event)
        match entry.event:
            case events.ItemFailed() as event:
                self._count_failure(event, entry)
            case events.ItemSucceeded() as event:
                self._declared.items.labels(event.pipeline, "succeeded").inc()
                self._count_rows(event.pipeline, event.facts)
                self._count_retry(event, "succeeded")
            case events.ItemSkipped() as event:
                self._declared.items.labels(event.pipeline, "skipped").inc(event.count)
            case events.RunStarted(trigger=Trigger.RETRY) as event:
                self._retrying.add(event.run_id)
            case events.RunEnded() as event:
                self._count_run(event)
            case events.CycleEnded() as event:
                self._declared.cycles.labels(event.pipeline, event.outcome.value).inc()
                self._declared.cycle_seconds.labels(event.pipeline).observe(event.duration_seconds)
                self._declared.cycle_completion.labels(event.pipeline).set(event.at.timestamp())
            case events.CycleSkipped() as event:
                self._count_skipped(event)
            case events.RetryProgressed() as event:
                for result in event.results:
                    if result.outcome is RetryOutcome.NOT_RETRIED:
                        self._count_not_retried(result.pipeline)
            case (
                events.RunStarted()
                | events.StepEntered()
                | events.RunNoted()
                | events.ProgressMade()
                | events.CycleStarted()
                | events.GroupEvent()
                | events.RetryEvent()
                | events.WorkEvent()
                | events.PipelinePaused()
                | events.LedgerChanged()
                | events.Audited()
            ):
                pass  # not counted
            case _:
                assert_never(entry.event)

    def _count_skipped(self, event: events.CycleSkipped) -> None:
        if not event.began:
            self._declared.cycles_skipped.labels(event.pipeline, event.reason).inc()
        keys = ((event.pipeline, source) for source in event.sources)
        self.cycles_skipped_of.update(key for key in keys if key in self._sources)

    def _count_retry(self, event: events.RunEvent, outcome: str) -> None:
        if event.run_id in self._retrying:
            self._declared.retries.labels(event.pipeline, outcome).inc()

    def _count_not_retried(self, pipeline: str) -> None:
        if pipeline in self._pipelines:  # else it is one of an earlier configuration
            self._declared.retries.labels(pipeline, "not_retried").inc()

    def _count_failure(self, event: events.ItemFailed, entry: Entry) -> None:
        assessment = entry.assessment
        assert assessment is not None
        retryable = "true" if assessment.retryable else "false"
        labels = (event.pipeline, assessment.category.value, retryable)
        self._failed[labels] += 1
        self._failed_in[labels] = event.run_id
        if event.first_cause:
            self._declared.items.labels(event.pipeline, "failed").inc()
            self._count_rows(event.pipeline, event.facts)
        if event.first_cause or event.item is None:
            self._count_retry(event, "failed")

    def _add_failures(self) -> None:
        """All of a kind at once: a commit may hold thousands, and each exemplar costs something."""
        for labels, n in self._failed.items():
            self._declared.failures.labels(*labels).inc(n, _exemplar(self._failed_in[labels]))
        self._failed.clear()
        self._failed_in.clear()

    def _count_rows(self, pipeline: str, facts: events.Facts | None) -> None:
        rows = None if facts is None else facts.rows()
        if rows is not None:
            self._declared.rows.labels(pipeline, "loaded").inc(rows.loaded)
            self._declared.rows.labels(pipeline, "rejected").inc(rows.rejected)

    def _count_run(self, event: events.RunEnded) -> None:
        status = event.status.value
        exemplar = _exemplar(event.run_id)
        self._declared.runs.labels(event.pipeline, status).inc(1, exemplar)
        self._declared.run_seconds.labels(event.pipeline, status).observe(
            event.duration_seconds, exemplar
        )
        self._retrying.discard(event.run_id)


def _exemplar(run_id: str) -> dict[str, str]:
    """What leads from a sample to a run: OpenMetrics shows it beside the value, never as a label."""
    return {"run_id": run_id}
