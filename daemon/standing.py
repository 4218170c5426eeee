"""How each source stands: the one place that says so.

A source fails while it has failures that nothing and nobody has dealt with, also when its latest run only skipped
what is known to be broken. What a person quarantined, ignored or resolved does not count.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

import msgspec

from daemon import events
from daemon.clock import Clock
from daemon.errors import StoreError
from daemon.store.entries import Committed, Entry, TallyKey
from daemon.store.group_state import PENDING
from daemon.store.pending import PendingFailures, PendingKind
from daemon.store.runs import RunStreak
from daemon.store.standing import Standing
from daemon.taxonomy import Category, FailureStatus, RunStatus

OPEN, RETRYING = FailureStatus.OPEN, FailureStatus.RETRYING
_NOTHING_QUIET = PendingKind(0, 0, None)


class SourceStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How a source stands."""

    pipeline: str
    source: str
    failing: bool
    open_failures: int
    """Open failures, without those of groups that a person ignored or resolved."""
    categories: dict[Category, int]
    """What it fails with, and how often; most frequent first. What is being tried again counts as open."""
    failing_since: datetime | None
    """When it began to fail; None while it does not."""
    runs_failing_since: datetime | None
    """When the first of the runs that failed in a row ended; None when the latest run did not fail."""
    pending_since: dict[Category, datetime]
    """When the oldest pending failure of each of the categories occurred."""
    last_success: datetime | None
    """When a run last succeeded, with no failure left open."""
    last_worked: datetime | None
    """When a run last ended in which something worked: as success or partial."""
    consecutive_failures: int
    """Runs that failed in a row; at least 1 while the source fails."""


class _Details(NamedTuple):
    """What the store said of pending failures, and what that holds for."""

    version: int
    until: datetime | None
    kinds: Mapping[tuple[str, str, str], PendingKind]


class Standings:
    """The standings of all sources, of whatever kind. A subscriber of the recorder; safe for any thread.

    Numbers are counted along. What they leave open, which failures are quiet and since when others are there, is
    read when somebody asks and it may have changed.
    """

    def __init__(
        self,
        counts: Standing,
        pending: PendingFailures,
        clock: Clock,
        streaks: Iterable[RunStreak] = (),
    ) -> None:
        """`counts` are those of the writer; `streaks` how the latest runs ended before."""
        self._counts = counts
        self._pending = pending
        self._clock = clock
        self._streaks = {(streak.pipeline, streak.source): streak for streak in streaks}
        self._reading = threading.Lock()
        self._version = 0
        self._details = _Details(-1, None, {})

    def follow(self, committed: Committed) -> None:
        """Takes in what was stored."""
        if any(map(self._may_change_details, committed.changes.items())) or any(
            isinstance(entry.event, events.GroupEvent) for entry in committed.entries
        ):
            self._version += 1
        for entry in committed.entries:
            if isinstance(entry.event, events.RunEnded):
                self._end(entry.event, entry)
        for key, n in committed.changes.items():
            if key.status in PENDING and n < 0:
                self._forgive(key.pipeline, key.source)

    def _may_change_details(self, change: tuple[TallyKey, int]) -> bool:
        """Further failures of a kind that is known, and of which none is quiet, change nothing.

        A failure that is open no more leaves another status fuller, also where others came in its place.
        """
        key, n = change
        if key.status != OPEN:
            return True
        known = self._details.kinds.get((key.pipeline, key.source, key.category))
        return n < 0 or known is None or known.since is None or known[:2] != (0, 0)

    def _end(self, event: events.RunEnded, entry: Entry) -> None:
        key = (event.pipeline, event.source)
        before = self._streaks.get(key) or _no_runs(*key)
        if event.status is RunStatus.FAILED:
            category = entry.summary.category if entry.summary else None
            self._streaks[key] = before._replace(
                failed_in_a_row=before.failed_in_a_row + 1,
                category=category or Category.UNKNOWN,
                failing_since=before.failing_since or event.at,
            )
        elif event.status in (RunStatus.SUCCESS, RunStatus.PARTIAL):
            success = event.at if event.status is RunStatus.SUCCESS else before.last_success
            self._streaks[key] = RunStreak(*key, success, event.at, 0, None, None)

    def _forgive(self, pipeline: str, source: str) -> None:
        """What a run failed with holds no longer once nothing of it is left."""
        streak = self._streaks.get((pipeline, source))
        if streak is not None and not self._counts.pending(pipeline, source):
            self._streaks[pipeline, source] = streak._replace(category=None)

    def all(self) -> list[SourceStanding]:
        """Of every source that ran or failed, gone ones too."""
        known = dict.fromkeys([*self._streaks, *self._counts.sources()])
        return [self.of(*source) for source in sorted(known)]

    def of(self, pipeline: str, source: str) -> SourceStanding:
        """How a source stands now; one that never ran does not fail."""
        counts = self._counts.pending(pipeline, source)
        known = self._read_details().kinds if counts else {}
        kinds = {c: known.get((pipeline, source, c), _NOTHING_QUIET) for c, _ in counts}
        streak = self._streaks.get((pipeline, source)) or _no_runs(pipeline, source)
        categories = _loud(counts, kinds)
        if not counts and streak.category is not None:  # its failures could not be stored
            categories = Counter({streak.category: 1})
        failing = bool(categories)
        since = {c: kinds[c].since for c in categories if c in kinds}
        pending_since = {Category(c): moment for c, moment in since.items() if moment}
        began = [*pending_since.values(), *([streak.failing_since] if streak.failing_since else [])]
        return SourceStanding(
            pipeline=pipeline,
            source=source,
            failing=failing,
            open_failures=sum(_loud_open(counts, kinds).values()),
            categories={Category(c): n for c, n in categories.most_common()},
            failing_since=min(began, default=None) if failing else None,
            runs_failing_since=streak.failing_since if failing else None,
            pending_since=pending_since,
            last_success=streak.last_success,
            last_worked=streak.last_worked,
            consecutive_failures=max(streak.failed_in_a_row, 1) if failing else 0,
        )

    def left_open(self, pipeline: str, source: str) -> int:
        """How many failures of its items a run leaves open that ends now, once all it reported is on disk.

        At least 1 when that cannot be read: a run is no success unless that is known.
        """
        if not self._counts.pending(pipeline, source):
            return 0
        try:
            return self._pending.of_items(pipeline, source, self._clock.now())
        except StoreError:
            return 1

    def _read_details(self) -> _Details:
        """What holds now; the last known while the store cannot be read."""
        with self._reading:
            now, version = self._clock.now(), self._version
            known = self._details
            if known.version != version or (known.until is not None and known.until <= now):
                with suppress(StoreError):
                    until = self._pending.next_loud(now)
                    self._details = _Details(version, until, self._pending.by_kind(now))
            return self._details


def _loud(counts: Counter[tuple[str, str]], kinds: Mapping[str, PendingKind]) -> Counter[str]:
    """What a source fails with: its open failures, or while there are none what is being tried again."""
    if any(status == OPEN for _, status in counts):
        return _loud_open(counts, kinds)
    return +Counter(
        {c: n - kinds[c].quiet_retrying for (c, status), n in counts.items() if status == RETRYING}
    )


def _loud_open(counts: Counter[tuple[str, str]], kinds: Mapping[str, PendingKind]) -> Counter[str]:
    return +Counter(
        {c: n - kinds[c].quiet_open for (c, status), n in counts.items() if status == OPEN}
    )


def _no_runs(pipeline: str, source: str) -> RunStreak:
    return RunStreak(pipeline, source, None, None, 0, None, None)
