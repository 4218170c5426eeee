"""How many sources of a cycle are where."""

from __future__ import annotations

import threading


class SourceCounts:
    """Sources of a pipeline's current cycle by state, for the gauge.

    A retry is a cycle beside the ordinary one: while several are under way, they count together.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self.counts = dict.fromkeys(("pending", "running", "done", "failed"), 0)

    def begin(self, sources: int) -> None:
        """A cycle of that many sources is under way."""
        with self._lock:
            if not self._under_way:
                self.counts = dict.fromkeys(self.counts, 0)
            self._under_way += 1
            self.counts["pending"] += sources

    def end(self) -> None:
        """One is no longer."""
        with self._lock:
            self._under_way -= 1

    def move(self, before: str, after: str) -> None:
        """A source went from one state to another."""
        with self._lock:
            self.counts[before] -= 1
            self.counts[after] += 1
