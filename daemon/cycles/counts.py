"""How many sources of a cycle are where."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable


class SourceCounts:
    """Sources of a pipeline's current cycles by state, for the gauge.

    A retry is a cycle beside the ordinary one, and one begins for some sources while others are not done with
    the one before: while several are under way, each source counts once, as it stands by the latest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self._states: dict[str, str] = {}

    @property
    def counts(self) -> dict[str, int]:
        """By state."""
        with self._lock:
            found = Counter(self._states.values())
        return {state: found[state] for state in ("pending", "running", "done", "failed")}

    def begin(self, sources: Iterable[str]) -> None:
        """A cycle of those sources is under way."""
        with self._lock:
            if not self._under_way:
                self._states.clear()
            self._under_way += 1
            self._states.update(dict.fromkeys(sources, "pending"))

    def end(self) -> None:
        """One is no longer."""
        with self._lock:
            self._under_way -= 1

    def move(self, source: str, state: str) -> None:
        """A source is in another state."""
        with self._lock:
            self._states[source] = state
