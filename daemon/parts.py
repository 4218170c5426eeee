"""What goes on from a start to a stop, and the one contract that it keeps.

- Started twice is started once; stopped twice is stopped once; stopping what never started does nothing.
- A start that fails leaves nothing behind: it may be tried again.
- What was stopped may be started again, and begins afresh.
- `wind_down` comes before `stop` where others are to be heard out first: nothing new is begun any more, and what is
  under way goes on. Without a start it does nothing.
- All of it may be asked from any thread, also at the same time.

`tests/unit/composition/test_parts.py` holds every part of the daemon to it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import ExitStack


class Part:
    """Base of what can be started and stopped. A part says in `_start`, `_wind_down` and `_stop` what is its own."""

    patience = 0.0
    """Seconds that what is under way gets to end when the part is stopped."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._changing = threading.RLock()
        self._started = False

    def start(self) -> bool:
        """Begins; returns whether this call has begun it. Raises what keeps it from beginning."""
        with self._changing:
            if self._started:
                return False
            self._start()
            self._started = True
            return True

    def wind_down(self) -> None:
        """Begins nothing new any more; returns at once."""
        with self._changing:
            if self._started:
                self._wind_down()

    def stop(self, seconds: float | None = None) -> None:
        """Ends; what is under way gets `seconds`, or the part's `patience`."""
        with self._changing:
            if self._started:
                self._wind_down()
                self._stop(self.patience if seconds is None else seconds)
                self._started = False

    def _start(self) -> None:
        """Begins afresh, or raises and leaves nothing behind."""

    def _wind_down(self) -> None:
        """Lets nothing new begin. May be called several times."""

    def _stop(self, seconds: float) -> None:
        """Ends, within `seconds` as far as others are waited for, and becomes as it was before the start."""


def start_in_order(parts: Iterable[Part]) -> None:
    """Starts all; when one fails, those that were started here are stopped again, last first, and it raises."""
    with ExitStack() as undoing:
        for part in parts:
            if part.start():
                undoing.callback(part.stop)
        undoing.pop_all()


def stop_in_order(parts: Iterable[Part]) -> None:
    """Stops all, last first: each is told to begin nothing new, and only then the first of them is ended."""
    last_first = list(parts)[::-1]
    for part in last_first:
        part.wind_down()
    for part in last_first:
        part.stop()
