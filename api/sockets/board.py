"""What is told of the status: read for all sockets at once, and written once for all of them.

What is under way is held in memory. What is stored is read in a thread of its own, when something was
committed since the last time, so the event loop never waits for the store and nothing is shown before it
is on disk. Nothing is read while nobody asks.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

import msgspec

from api.runs import RunLister
from api.schemas import live
from api.schemas.failures import FailureDetail
from api.schemas.runs import RunDetail
from api.schemas.standing import FailingSource
from api.schemas.statistics import Statistics
from api.schemas.status import FailureSummary
from api.sockets.feed import stamped
from api.statistics import StatisticsQuery, make_statistics
from api.status import LISTED_SOURCES, active_runs, failing_sources, summarise
from daemon.composition.offered import Offered
from daemon.errors import StoreError
from daemon.store.entries import Committed

log = logging.getLogger("triaged.api")

SHOWN_RUNS = 5
LISTED_FAILURES = 10
STATISTICS_SECONDS = 5.0
"""Statistics are the dearest part: they may be this old."""
OLDEST_SECONDS = 300.0
"""What is stored is read anew after this time in any case, since statistics have a window of time."""


class Stored(msgspec.Struct, frozen=True):
    """What was read of the store at one moment."""

    commit: int
    """How many batches were on disk by then, at least."""
    newest_failure: int
    """The highest id of a failure."""
    recent_runs: list[RunDetail]
    summary: FailureSummary
    failing: list[FailingSource]
    statistics: Statistics
    statistics_at: float
    statistics_commit: int


class Board:
    """The feed of the status. Everything but `follow` and the reading is for the event loop."""

    notices_are = "failures"
    ended = False
    """The status goes on as long as the daemon."""

    def __init__(self, offered: Offered) -> None:
        self._offered = offered
        self._clock = offered.clock
        self._commits = 0
        self._stored: Stored | None = None
        self._failures: deque[FailureDetail] = deque(maxlen=LISTED_FAILURES)
        self._runs: tuple[int, list[RunDetail]] = (-1, [])
        self._reading: asyncio.Task[None] | None = None
        self._listing = asyncio.Lock()
        self._unreadable = False
        offered.recorder.subscribe(self.follow)

    def follow(self, _: Committed) -> None:
        """A subscriber of the recorder: notes that there is something new, and does nothing else."""
        self._commits += 1

    @property
    def newest(self) -> int | None:
        """The highest id of a failure that is known here; None before anything was read."""
        return self._stored.newest_failure if self._stored else None

    def revision(self) -> object:
        """What differs from an earlier one if there is something new to tell."""
        stored = self._stored
        read = (stored.commit, stored.statistics_commit) if stored else None
        return self._offered.live.state(), read

    def is_stale(self) -> bool:
        """Whether the store may hold something that was not read."""
        stored, now = self._stored, self._clock.monotonic()
        if stored is None or stored.commit != self._commits:
            return True
        late = stored.statistics_commit != stored.commit
        age = now - stored.statistics_at
        return age >= OLDEST_SECONDS or (late and age >= STATISTICS_SECONDS)

    async def freshen(self, seconds: float) -> bool:
        """Waits so long at most till all that is stored by now was read; whether it was."""
        if self.is_stale():
            # Not awaited itself: who gives up must not end the reading for all others.
            await asyncio.wait([self.refresh()], timeout=seconds)
        return not self.is_stale()

    def refresh(self) -> asyncio.Task[None]:
        """Reads what is stored, once for all who ask meanwhile. Does not raise."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._refresh())
        return self._reading

    async def _refresh(self) -> None:
        try:
            stored, failures = await asyncio.to_thread(self._read, self._stored)
        except Exception as error:
            # What was read last goes on being told. It is tried again with every tick, and logged once.
            if not self._unreadable:
                log.warning(
                    "the live status cannot be read from the store",
                    exc_info=not isinstance(error, StoreError),
                    extra={"event": "live_unread", "reason": str(error)},
                )
            self._unreadable = True
            return
        self._unreadable = False
        self._stored = stored
        self._failures.extendleft(reversed(failures))

    def _read(self, before: Stored | None) -> tuple[Stored, list[FailureDetail]]:
        offered, commit, now = self._offered, self._commits, self._clock.monotonic()
        known = before.newest_failure if before else None
        newest, records = offered.failures.after(known or 0, LISTED_FAILURES if before else 1)
        statistics, of_time, of_commit = self._statistics(before, commit, now)
        stored = Stored(
            commit=commit,
            newest_failure=newest,
            recent_runs=self._read_runs(SHOWN_RUNS),
            summary=summarise(offered.clock, offered.catalog, offered.failures),
            failing=failing_sources(offered.clock, offered.catalog, offered.standings),
            statistics=statistics,
            statistics_at=of_time,
            statistics_commit=of_commit,
        )
        new = [record for record in records if known is not None and known < record.id <= newest]
        return stored, [FailureDetail.of(record, offered.catalog) for record in new]

    def _statistics(
        self, before: Stored | None, commit: int, now: float
    ) -> tuple[Statistics, float, int]:
        if before is not None and now - before.statistics_at < STATISTICS_SECONDS:
            return before.statistics, before.statistics_at, before.statistics_commit
        offered, wanted = self._offered, StatisticsQuery()
        counted = make_statistics(
            offered.clock,
            offered.catalog,
            offered.failures,
            offered.runs,
            offered.standings,
            wanted,
        )
        return counted, now, commit

    async def answer(self, request: live.GetRecentRuns) -> str:
        """The runs that ended last. Read once for all who ask between two commits."""
        async with self._listing:
            commit, runs = self._runs
            if commit != self._commits:
                commit = self._commits
                runs = await asyncio.to_thread(self._read_runs, live.MOST_RUNS)
                self._runs = commit, runs
        data = live.RecentRunsList(recent_runs=runs[: request.limit])
        return stamped(live.RecentRuns, data, self._clock.now())

    def _read_runs(self, most: int) -> list[RunDetail]:
        offered = self._offered
        lister = RunLister(offered.catalog, offered.runs, offered.live, offered.idle_runs)
        return lister.newest(most)

    def state(self, clients: int) -> str:
        """The whole status as it is now."""
        active, stored = active_runs(self._offered.catalog, self._offered.live), self._stored
        summary = stored.summary if stored else None
        data = live.Status(
            current_processing=active[0] if active else None,
            active=active,
            recent_runs=stored.recent_runs if stored else [],
            statistics=stored.statistics if stored else None,
            client_count=clients,
            has_failures=summary.failure_count > 0 if summary else None,
            failure_count=summary.failure_count if summary else None,
            most_recent_failure=summary.most_recent_failure if summary else None,
            failing_sources=len(stored.failing) if stored else None,
            failing=stored.failing[:LISTED_SOURCES] if stored else [],
        )
        return stamped(live.StatusUpdate, data, self._clock.now())

    def notices(self, after: int, count: int) -> list[str]:
        """So many failures, above an id that was told."""
        data = live.NewFailures(
            count=count,
            failures=[failure for failure in self._failures if failure.id > after],
        )
        return [stamped(live.FailureNotice, data, self._clock.now())]
