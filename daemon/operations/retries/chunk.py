"""One chunk of a retry operation: some items of one source, run once, with what came of them."""

from __future__ import annotations

from collections.abc import Sequence

from daemon import events
from daemon.clock import Clock
from daemon.cycles.cycles import Cycles
from daemon.errors import NotFound, RecorderClosed
from daemon.item_key import item_key
from daemon.pipelines.catalog import Catalog
from daemon.pipelines.retry_plan import Chosen
from daemon.recorder import Recorder
from daemon.store.columns.retries import RetryRecord
from daemon.store.retries import Retries, RetryRun, RetryTarget
from daemon.taxonomy import RetryOutcome, RetryReason, RunStatus, Trigger

_ENDED_EARLY = (RunStatus.RUNNING, RunStatus.INTERRUPTED, RunStatus.CANCELLED)
"""Runs that say nothing of the items that they did not come to."""


class Chunks:
    """Carries out chunks in the calling thread, which has claimed their source."""

    def __init__(
        self,
        catalog: Catalog,
        cycles: Cycles,
        recorder: Recorder,
        retries: Retries,
        clock: Clock,
    ) -> None:
        self._catalog = catalog
        self._cycles = cycles
        self._recorder = recorder
        self._retries = retries
        self._clock = clock

    def carry_out(self, operation: RetryRecord, pipeline: str, source: str, size: int) -> int:
        """Retries up to `size` items; returns how many were run.

        Items that something has come of since the operation was asked for are not run again.
        """
        targets = self._retries.targets_to_do(operation, pipeline, source, size)
        results = [result for target in targets if (result := _outcome(target))]
        done = {result.failure_id for result in results}
        targets = [target for target in targets if target.failure_id not in done]
        if source not in self._sources(pipeline):
            results += [_refused(target, RetryReason.SOURCE_UNKNOWN) for target in targets]
            targets = []
        ready, wanted, refused = self._prepare(targets)
        self._store(operation, results + refused)
        if not ready:
            return 0
        run = self._run(pipeline, source, wanted)
        if run is None:
            return 0
        self._store(operation, self._results(operation, ready, run))
        return len(ready)

    def _sources(self, pipeline: str) -> Sequence[str]:
        registered = self._catalog.pipelines.get(pipeline)
        return list(registered.sources) if registered else []

    def _prepare(
        self, targets: Sequence[RetryTarget]
    ) -> tuple[list[RetryTarget], frozenset[str] | None, list[events.RetryResult]]:
        """The targets that can be retried, their names (None: all), and results of the others."""
        if not targets:
            return [], None, []
        first = targets[0]
        plan = self._catalog.pipeline(first.pipeline).plan_retry(
            first.source, [_chosen(target) for target in targets]
        )
        for mark in plan.marks:
            self._record(mark)
        ready = [target for target in targets if target.failure_id not in plan.refused]
        refused = [
            _refused(target, plan.refused[target.failure_id])
            for target in targets
            if target.failure_id in plan.refused
        ]
        return ready, plan.wanted, refused

    def _run(self, pipeline: str, source: str, wanted: frozenset[str] | None) -> RetryRun | None:
        """The run, once it has ended; None when there was none because the daemon is stopping."""
        try:
            registered = self._catalog.pipeline(pipeline)
            chosen = self._catalog.source(pipeline, source)
        except NotFound:  # it went away in this moment
            return None
        return self._retries.run_of(
            self._cycles.carry_out(registered, chosen, Trigger.RETRY, wanted)
        )

    def _results(
        self, operation: RetryRecord, ready: Sequence[RetryTarget], run: RetryRun
    ) -> list[events.RetryResult]:
        """What the run recorded of the items, as far as it came."""
        first = ready[0]
        now = self._retries.targets_to_do(operation, first.pipeline, first.source, len(ready))
        tried = {target.failure_id for target in ready}
        found = [(target, _outcome(target)) for target in now if target.failure_id in tried]
        return [
            result or _untouched(target, run)
            for target, result in found
            if result or run.status not in _ENDED_EARLY
        ]

    def _store(self, operation: RetryRecord, results: Sequence[events.RetryResult]) -> None:
        if results:
            self._record(
                events.RetryProgressed(
                    at=self._clock.now(),
                    operation_id=operation.operation_id,
                    results=tuple(results),
                )
            )

    def _record(self, event: events.AnyEvent) -> None:
        if not self._recorder.wait(self._recorder.record(event)):
            raise RecorderClosed


def _chosen(target: RetryTarget) -> Chosen:
    """A target as its pipeline is asked about it: a name with something personal in it is stored masked."""
    key = item_key(target.pipeline, target.source, target.item)
    name = target.item if key == target.item_key else None
    return Chosen(target.failure_id, target.item_key, name, is_run=target.item is None)


def _outcome(target: RetryTarget) -> events.RetryResult | None:
    """What has come of an item, if anything has."""
    if target.new_failure_id is not None:
        return events.RetryResult(
            failure_id=target.failure_id,
            pipeline=target.pipeline,
            outcome=RetryOutcome.FAILED_AGAIN,
            new_failure_id=target.new_failure_id,
            category=target.category,
        )
    if target.resolved:
        return events.RetryResult(
            failure_id=target.failure_id,
            pipeline=target.pipeline,
            outcome=RetryOutcome.SUCCEEDED,
        )
    return None


def _refused(target: RetryTarget, reason: RetryReason) -> events.RetryResult:
    return events.RetryResult(
        failure_id=target.failure_id,
        pipeline=target.pipeline,
        outcome=RetryOutcome.NOT_RETRIED,
        reason=reason,
    )


def _untouched(target: RetryTarget, run: RetryRun) -> events.RetryResult:
    """The run ended and did not come to the item: it failed itself, or left the item alone."""
    return events.RetryResult(
        failure_id=target.failure_id,
        pipeline=target.pipeline,
        outcome=RetryOutcome.NOT_RETRIED,
        reason=RetryReason.NOT_TOUCHED if run.failure_id is None else RetryReason.RUN_FAILED,
        new_failure_id=run.failure_id,
        category=run.category,
    )
