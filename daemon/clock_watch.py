"""Notices when somebody sets the wall clock, and a clock that does not fit to what is stored.

Cycles at an interval, retries and budgets go by time that passes; the wall clock only says when that is. So
whatever waits for a moment is told when the clock is set back, and goes on waiting as long as before.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime

from daemon.clock import Clock
from daemon.parts import Part

log = logging.getLogger("triaged.clock")

LOOK_SECONDS = 1.0
STEP_SECONDS = 2.0
"""What is less is how clocks are corrected all the time."""
BEHIND_SECONDS = 60.0
"""By so much the clock may be behind what is stored before that is said."""

SHOWN_SECONDS = 3600.0
"""How long that is said: a clock that was ahead once leaves records of the future for good."""

Moved = Callable[[float], None]
"""Told by how many seconds the wall clock was set, less than zero for back."""


class ClockWatch(Part):
    """Compares the two clocks from its start to its stop."""

    patience = 1.0

    def __init__(self, clock: Clock, newest: datetime | None, tell: Iterable[Moved]) -> None:
        """`newest` is when the run that was stored last began."""
        super().__init__("clock")
        self.steps = 0
        """How often the wall clock was set since the start."""
        self._clock = clock
        self._tell = tuple(tell)
        self._offset = self._difference()
        self._latest = max(newest or clock.now(), clock.now())
        self._shown_from = clock.monotonic()
        self._stopping = threading.Event()
        self._thread: threading.Thread

    def _difference(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

    def _start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._watch, name="clock", daemon=True)
        self._thread.start()

    def _wind_down(self) -> None:
        self._stopping.set()

    def _stop(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception:
                log.exception("the clock could not be looked at", extra={"event": "clock_failed"})

    def look(self) -> None:
        """Compares now."""
        offset = self._difference()
        seconds, self._offset = offset - self._offset, offset
        if abs(seconds) >= STEP_SECONDS:
            self.steps += 1
            self._shown_from = self._clock.monotonic()
            log.warning(
                "the machine's clock was set",
                extra={"event": "clock_set", "seconds": round(seconds, 1)},
            )
            for tell in self._tell:
                tell(seconds)
        self._latest = max(self._latest, self._clock.now())
        if self._clock.monotonic() - self._shown_from > SHOWN_SECONDS:
            self._latest = self._clock.now()

    @property
    def behind(self) -> float:
        """Seconds by which the clock is behind the latest time that it, or the store, has shown; or 0."""
        return max(0.0, (self._latest - self._clock.now()).total_seconds())

    @property
    def problem(self) -> str | None:
        """What is wrong with the clock, for people; None when it fits."""
        behind = self.behind
        if behind < BEHIND_SECONDS:
            return None
        return (
            f"the clock is {behind:,.0f} s behind what is stored: it is wrong now, or was then. Ages and times "
            "of new records are wrong until it is right"
        )
