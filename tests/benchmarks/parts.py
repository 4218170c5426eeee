"""The recording parts of the daemon put together, without scheduler and API."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from daemon.clock import SystemClock
from daemon.config.schema import StoreConfig
from daemon.live import Live
from daemon.pipelines.kinds import KINDS
from daemon.recorder import Recorder
from daemon.runners.handle import Run
from daemon.runners.open_run import OpenRun
from daemon.runners.order import RunOrder
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
        order = RunOrder(
            run_id=run_id,
            pipeline="mail",
            source="support",
            cycle_id="cycle",
            trigger=Trigger.SCHEDULE,
        )
        run = OpenRun(order, self.recorder, clock)
        run.begin()
        return Run(order, run, clock, run.asked_to_stop)


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
            writer.stop(10)
            database.close()
