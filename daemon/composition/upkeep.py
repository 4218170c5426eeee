"""What is done again and again beside the cycles, as a part."""

from __future__ import annotations

from datetime import timedelta

from daemon.access.keyring import Keyring
from daemon.clock import Clock
from daemon.parts import Part
from daemon.scheduler import Scheduler
from daemon.store import upkeep
from daemon.store.ledger import Ledgers
from daemon.store.writer import Writer

STORE_SECONDS = 3600.0
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
    ) -> None:
        """`kept` is how long the store keeps what has ended."""
        super().__init__("upkeep")
        self._scheduler = scheduler
        self._writer = writer
        self._ledgers = ledgers
        self._clock = clock
        self._kept = kept
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
        self._writer.do(lambda connection: upkeep.expire(connection, ledgers, clock.now(), kept))
