"""What is done again and again beside the cycles, as a part."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from daemon.access.keyring import Keyring
from daemon.clock import Clock
from daemon.parts import Part
from daemon.scheduler import Scheduler
from daemon.store import upkeep
from daemon.store.ledger import Ledgers
from daemon.store.runs import Runs
from daemon.store.writer import Writer

log = logging.getLogger("triaged.upkeep")

STORE_SECONDS = 3600.0
PROOF, DAYS_OF_PROOF = timedelta(days=30), 3
KEYS_SECONDS = 5.0
"""How often the keys file is looked at while nobody asks for anything."""


class Upkeep(Part):
    """Keeps the store small and the keys up to date, by the scheduler's timers."""

    def __init__(
        self,
        scheduler: Scheduler,
        writer: Writer,
        ledgers: Ledgers,
        keyring: Keyring,
        clock: Clock,
        kept: timedelta,
        runs: Runs,
    ) -> None:
        """`kept` is how long the store keeps what has ended."""
        super().__init__("upkeep")
        self._scheduler = scheduler
        self._writer = writer
        self._ledgers = ledgers
        self._clock = clock
        self._kept = kept
        self._runs = runs
        self._began = clock.monotonic()
        self.problem: str | None = None
        """Why nothing is forgotten at the moment, though it is old enough by the clock."""
        self._jobs = (
            (STORE_SECONDS, "upkeep of the store", self.forget),
            (KEYS_SECONDS, "look at the keys", keyring.refresh),
        )

    def _start(self) -> None:
        for seconds, name, job in self._jobs:
            self._scheduler.every(seconds, name, job)

    def _wind_down(self) -> None:
        for _, name, _ in self._jobs:
            self._scheduler.cancel(name)

    def forget(self) -> None:
        """Forgets what is older than the retention and compacts the store, between two batches."""
        ledgers, clock, kept = self._ledgers, self._clock, self._kept
        if self._is_proven(clock.now()):
            self._writer.do(
                lambda connection: upkeep.expire(connection, ledgers, clock.now(), kept)
            )

    def _is_proven(self, now: datetime) -> bool:
        """Whether runs on several days, or as many days of this daemon, agree with the clock, or nothing would be forgotten.

        One day could be that of a clock that is months ahead. Where runs are months apart, time that passes has to do.
        """
        oldest, days = self._runs.evidence(now - PROOF, now)
        days = max(days, int((self._clock.monotonic() - self._began) // 86_400))
        if oldest is None or oldest > now - self._kept or days >= DAYS_OF_PROOF:
            self.problem = None
            return True
        if self.problem is None:
            log.warning(
                "nothing is forgotten till runs on several days agree with the clock",
                extra={"event": "retention_waits", "days": days, "needed": DAYS_OF_PROOF},
            )
        self.problem = (
            f"retention waits: the newest records are far older than the clock says. After runs on {DAYS_OF_PROOF} days, or as "
            f"many without a restart (now {days}), it is taken to be right, and what is older than the retention is forgotten"
        )
        return False
