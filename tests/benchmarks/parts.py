"""The recording parts of the daemon put together, without scheduler and API."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from daemon import events
from daemon.clock import SystemClock
from daemon.config.schema import StoreConfig
from daemon.live import Live
from daemon.pipelines.kinds import KINDS
from daemon.recorder import Recorder
from daemon.run import Run
from daemon.store.database import Database
from daemon.store.ledger import Ledgers
from daemon.store.writer import Writer
from daemon.taxonomy import Trigger
from daemon.triage import Triage

MEMORY_LIMIT = StoreConfig().memory_limit


class Parts(NamedTuple):
    """A recorder over a store of its own."""

    database: Database
    writer: Writer
    recorder: Recorder

    def begin(self, run_id: str = "run") -> Run:
        """A run that has begun."""
        clock = SystemClock()
        started = events.RunStarted(
            at=clock.now(),
            run_id=run_id,
            pipeline="mail",
            source="support",
            cycle_id="cycle",
            trigger=Trigger.SCHEDULE,
        )
        self.recorder.record(started)
        return Run(started, self.recorder, clock, {})


@contextmanager
def recording(folder: Path) -> Iterator[Parts]:
    """A new store in a folder below `folder`, removed afterwards."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        database = Database(Path(name) / "store.duckdb", memory_limit=MEMORY_LIMIT)
        recorder = Recorder(Triage.load(), Live())
        writer = Writer(
            database,
            Ledgers.named(KINDS.ledgers),
            SystemClock(),
            recorder.announce,
            recorder.prepare,
        )
        recorder.connect(writer)
        writer.start()
        try:
            yield Parts(database, writer, recorder)
        finally:
            writer.close(10)
            database.close()
