"""What a person can do about any pipeline: pause, resume, run now."""

from __future__ import annotations

from daemon.clock import Clock
from daemon.events import PipelinePaused
from daemon.operations.decision import store_decision, wait_stored
from daemon.pipelines.catalog import Catalog
from daemon.recorder import Recorder
from daemon.scheduler import Scheduler
from daemon.taxonomy import Trigger


class PipelineOperations:
    """Commands of people on call."""

    def __init__(
        self, catalog: Catalog, scheduler: Scheduler, recorder: Recorder, clock: Clock
    ) -> None:
        self._catalog = catalog
        self._scheduler = scheduler
        self._recorder = recorder
        self._clock = clock

    def pause(self, pipeline: str) -> None:
        """Lets no cycle start until `resume`; what runs goes on. Survives a restart."""
        self._set_paused(pipeline, True)

    def resume(self, pipeline: str) -> None:
        """Lets cycles start again."""
        self._set_paused(pipeline, False)

    def _set_paused(self, pipeline: str, paused: bool) -> None:
        self._catalog.pipeline(pipeline)
        # At once: an incident does not wait for a store that cannot be written.
        self._scheduler.set_paused(pipeline, paused)
        event = PipelinePaused(at=self._clock.now(), pipeline=pipeline, paused=paused)
        store_decision(self._recorder, event)

    def run_now(self, pipeline: str, source: str | None = None) -> str:
        """Lets a cycle begin when its turn comes, of one source or all; returns its id once it is on disk.

        Raises `NotFound`, `Conflict`, `StoreUnavailable`.
        """
        self._catalog.pipeline(pipeline)
        if source is not None:
            self._catalog.source(pipeline, source)
        cycle_id = self._scheduler.run_now(pipeline, source, Trigger.MANUAL)
        wait_stored(self._recorder)
        return cycle_id
