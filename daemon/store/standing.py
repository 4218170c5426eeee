"""How many failures of each kind there are now: the tally in memory, for gauges and quick checks."""

from __future__ import annotations

import threading
from collections import Counter

from daemon.store.database import Database
from daemon.store.entries import TallyKey
from daemon.store.group_state import PENDING
from daemon.store.sql import SQL
from daemon.taxonomy import FailureStatus

Pending = Counter[tuple[str, str]]
"""Pending failures of a source by category and status."""


class Standing:
    """Counts by pipeline, source, category, retryable and status. Safe for any thread.

    Its size is bounded by the sources of the configuration and the closed vocabularies.
    """

    def __init__(self, counts: Counter[TallyKey] | None = None) -> None:
        self._lock = threading.Lock()
        self._counts = counts or Counter()
        self._unresolved: Counter[tuple[str, str]] = Counter()
        self._pending: dict[tuple[str, str], Pending] = {}
        self._count_by_source(self._counts)

    @classmethod
    def read(cls, database: Database) -> Standing:
        """The counts that the stored tally comes to."""
        found = database.read().rows(SQL["standing_counts"])
        return cls(Counter({TallyKey(*key): n for *key, n in found}))

    def apply(self, changes: Counter[TallyKey]) -> None:
        """Takes in what a commit changed."""
        with self._lock:
            for key, n in changes.items():
                self._counts[key] += n
            self._count_by_source(changes)

    def replace(self, other: Standing) -> None:
        """Takes over the counts of `other`, which were just read."""
        with self._lock:
            self._counts, self._unresolved = other._counts, other._unresolved
            self._pending = other._pending

    def _count_by_source(self, changes: Counter[TallyKey]) -> None:
        for key, n in changes.items():
            source = (key.pipeline, key.source)
            if key.status != FailureStatus.RESOLVED:
                self._unresolved[source] += n
            if key.status in PENDING:
                self._pending.setdefault(source, Counter())[key.category, key.status] += n

    def has_unresolved(self, pipeline: str, source: str) -> bool:
        """Whether the source has failures that are not resolved."""
        with self._lock:
            return self._unresolved[pipeline, source] > 0

    def pending(self, pipeline: str, source: str) -> Pending:
        """The source's failures that nothing and nobody has dealt with yet."""
        with self._lock:
            return +self._pending.get((pipeline, source), Pending())

    def sources(self) -> list[tuple[str, str]]:
        """Pipelines and sources that have had failures."""
        with self._lock:
            return list(self._pending)

    def open(self) -> Counter[tuple[str, str, bool]]:
        """Open failures by pipeline, category and whether a retry helps."""
        with self._lock:
            totals: Counter[tuple[str, str, bool]] = Counter()
            for key, n in self._counts.items():
                if key.status == FailureStatus.OPEN:
                    totals[key.pipeline, key.category, key.retryable] += n
            return totals
