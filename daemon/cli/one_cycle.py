"""A cycle that runs once, and what is on disk of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from queue import Empty, SimpleQueue

from api.schemas.failures import FailureDetail
from api.schemas.runs import RunDetail
from api.schemas.status import CurrentRun
from daemon import events
from daemon.cli.reading import Found, StoreReader
from daemon.cycles.cycle import Cycle as UnderWay
from daemon.pipelines.catalog import Registered, Source
from daemon.service import Daemon
from daemon.store.entries import Committed
from daemon.store.filters import FailureFilter
from daemon.taxonomy import RunStatus, Trigger


class WatchedCycle:
    """One cycle of a pipeline, while somebody looks on."""

    tick = 0.1
    """Seconds between two looks."""

    def __init__(self, daemon: Daemon, pipeline: Registered, sources: list[Source]) -> None:
        self.daemon = daemon
        self.reader = StoreReader(daemon.database, daemon.catalog)
        self.run_ids: list[str] = []
        self._ended: SimpleQueue[str] = SimpleQueue()
        self._pipeline = pipeline
        self._sources = sources
        self._cycle: UnderWay | None = None
        daemon.recorder.subscribe(self._note)

    def start(self) -> None:
        """Begins."""
        self.daemon.start(schedule=False)
        self._cycle = self.daemon.cycles.begin(self._pipeline, self._sources, Trigger.MANUAL)

    @property
    def outcome(self) -> RunStatus:
        """What it came to."""
        return self._cycle.outcome if self._cycle else RunStatus.INTERRUPTED

    def _note(self, committed: Committed) -> None:
        for entry in committed.entries:
            if isinstance(entry.event, events.RunStarted):
                self.run_ids.append(entry.event.run_id)
            elif isinstance(entry.event, events.RunEnded):
                self._ended.put(entry.event.run_id)

    def wait(self, seconds: float) -> bool:
        """Waits for the end; False when the time ran out."""
        return self._cycle is None or self._cycle.wait(seconds)

    def active(self) -> list[CurrentRun]:
        """Its runs under way, by name, so that a view of them stands still."""
        runs = [CurrentRun.of(run, self.daemon.catalog) for run in self.daemon.live.active()]
        return sorted(runs, key=lambda run: run.source)

    def ended(self) -> Iterator[RunDetail]:
        """Runs that have ended since the last call."""
        while True:
            try:
                yield self._detail(self._ended.get_nowait())
            except Empty:
                return

    def runs(self) -> Iterator[RunDetail]:
        """All its runs."""
        return map(self._detail, self.run_ids)

    def _detail(self, run_id: str) -> RunDetail:
        return RunDetail.of(self.daemon.runs.get(run_id), self.daemon.catalog)

    def failures(self, limit: int) -> Found[FailureDetail]:
        """Its failures and how many there are."""
        found = [self.reader.failures(FailureFilter(run_id=r), limit) for r in self.run_ids]
        records = chain.from_iterable(f.records for f in found)
        return Found(sum(f.total for f in found), islice(records, limit))

    def stop(self, grace: float) -> None:
        """Lets runs end at their next item, and marks those that do not as interrupted."""
        self.daemon.queue.stop()
        self.daemon.runner.cancel()
        if not self.wait(grace):
            self.daemon.runner.interrupt()
        self.daemon.writer.flush(grace)
