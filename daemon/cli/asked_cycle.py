"""A cycle that a running daemon was asked for, followed from here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain, islice, takewhile
from urllib.parse import quote

from api.pipelines import CycleStarted, RunRequest
from api.schemas.failures import FailureDetail
from api.schemas.report import CycleRow
from api.schemas.runs import RunDetail
from api.schemas.status import CurrentRun, CurrentStatus
from daemon.cli.asking import ask_about
from daemon.cli.client import Client, Unreachable
from daemon.cli.reading import ALL, DaemonReader, Found
from daemon.store.filters import FailureFilter
from daemon.store.runs import RunFilter
from daemon.taxonomy import RunStatus

_CYCLES = 200
"""Cycles that are looked through for this one, newest first."""


class AskedCycle:
    """Asks for the cycle when it is made. Raises `NotFound`, `RequestRefused`, `Unreachable`."""

    tick = 0.5
    """Seconds between two looks."""

    def __init__(self, client: Client, pipeline: str, source: str | None) -> None:
        self._client = client
        self._reader = DaemonReader(client)
        self._wanted = RunFilter(pipeline=pipeline, source=source)
        self._said: set[str] = set()
        self.outcome: RunStatus | None = None
        """What it came to, once it has ended."""
        path = f"/api/pipelines/{quote(pipeline, safe='')}/run"
        with ask_about(client, self._wanted):
            started = client.post(path, CycleStarted, RunRequest(source=source))
        self.cycle_id = started.cycle_id

    def wait(self, seconds: float) -> bool:
        """Waits for the end; False when the time ran out. A daemon that is away is waited for."""
        time.sleep(seconds)
        path, pipeline = "/api/report/cycles", self._wanted.pipeline
        try:
            rows = self._client.get(path, list[CycleRow], pipeline=pipeline, limit=_CYCLES)
        except Unreachable:
            return False
        ended = [row.outcome for row in rows if row.cycle_id == self.cycle_id and row.outcome]
        self.outcome = RunStatus(ended[0]) if ended else None
        return bool(ended)

    def active(self) -> list[CurrentRun]:
        """Runs of its sources under way, by name; none while the daemon is away."""
        path, chosen = "/api/processing/current-status", self._wanted
        try:
            status = self._client.get(path, CurrentStatus, include_recent="false")
        except Unreachable:
            return []
        runs = [
            run
            for run in status.active
            if run.pipeline == chosen.pipeline and chosen.source in (None, run.source)
        ]
        return sorted(runs, key=lambda run: run.source)

    def ended(self) -> Iterator[RunDetail]:
        """Runs of it that have ended since the last call."""
        try:
            new = [run for run in self.runs() if run.end_time and run.run_id not in self._said]
        except Unreachable:
            return
        for run in new:
            self._said.add(run.run_id)
            yield run

    def runs(self) -> list[RunDetail]:
        """All its runs so far, oldest first."""
        newest = self._reader.runs(self._wanted, ALL).records
        # Ids begin with the time: no run of the cycle began before it did.
        later = takewhile(lambda run: _begun(run.run_id) >= _begun(self.cycle_id), newest)
        return [run for run in later if run.cycle_id == self.cycle_id][::-1]

    def failures(self, limit: int) -> Found[FailureDetail]:
        """Its failures and how many there are."""
        found = [
            self._reader.failures(FailureFilter(run_id=run.run_id), limit) for run in self.runs()
        ]
        records = chain.from_iterable(one.records for one in found)
        return Found(sum(one.total for one in found), islice(records, limit))


def _begun(id_: str) -> str:
    return id_.partition("-")[0]
