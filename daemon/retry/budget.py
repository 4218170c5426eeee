"""How many automatic retries there may be: an outage must not become a storm of attempts."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Sequence

HOUR = 3600.0


class Budget:
    """Retries within the last hour, each counted under one or more names with a limit of their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: defaultdict[str, deque[float]] = defaultdict(deque)

    def spend(self, now: float, limits: Sequence[tuple[str, int]]) -> float:
        """Takes one retry under each name, or none at all.

        `now` is in seconds on any steady clock. Returns 0 when it was taken, else the seconds after
        which the first of what is in the way is an hour old.
        """
        with self._lock:
            waits = [self._wait(now, name, limit) for name, limit in limits]
            longest = max(waits, default=0.0)
            if longest == 0:
                for name, _ in limits:
                    self._spent[name].append(now)
            return longest

    def remember(self, moment: float, name: str) -> None:
        """A retry before a restart; the oldest first."""
        with self._lock:
            self._spent[name].append(moment)

    def _wait(self, now: float, name: str, limit: int) -> float:
        spent = self._spent[name]
        while spent and spent[0] <= now - HOUR:
            spent.popleft()
        return spent[-limit] + HOUR - now if len(spent) >= limit else 0.0
