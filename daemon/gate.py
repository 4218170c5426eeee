"""Which sources wait, and what for: decided from how their latest runs failed.

A source whose credentials were refused is held, as long as they are the same: trying them again locks
accounts. One that failed for a
passing reason waits until its retry is due. After several failures in a row its circuit breaker opens:
from then on it is tried only once in a while, until it succeeds.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec

from daemon.clock import Clock
from daemon.pipelines.catalog import Source
from daemon.store.entries import FailedRun
from daemon.taxonomy import Category


class Reason(StrEnum):
    """Why a source is not run by itself."""

    HELD = "held"
    BACKOFF = "backoff"
    BREAKER = "breaker"


class Waiting(msgspec.Struct, frozen=True):
    """A source that cycles leave out for now."""

    pipeline: str
    source: str
    reason: Reason
    category: str
    attempts: int
    """Runs in a row that failed as a whole."""
    until: datetime | None
    """None: until its configuration or credentials change, or a person runs it."""


class Failed(NamedTuple):
    """How a source's latest run failed, and the version that the source had then, if that is known."""

    run: FailedRun
    version: str | None

    def moved(self, by: timedelta) -> Failed:
        """The same at another time."""
        run = self.run
        due = None if run.retry_at is None else run.retry_at + by
        return self._replace(run=run._replace(retry_at=due, failed_at=run.failed_at + by))


class Gate:
    """What is known of the sources that failed. Safe for any thread."""

    def __init__(self, clock: Clock, breaker_after: int, breaker_pause: float) -> None:
        self._clock = clock
        self._breaker_after = breaker_after
        self._breaker_pause = timedelta(seconds=breaker_pause)
        self._lock = threading.Lock()
        self._failed: dict[tuple[str, str], Failed] = {}

    def fail(self, failed: FailedRun, version: str | None = None) -> None:
        """A run of a source of that version failed as a whole.

        Of several causes in one run the one that waits longest counts.
        """
        key = (failed.pipeline, failed.source)
        with self._lock:
            before = self._failed.get(key)
            if (
                before is None
                or before.run.run_id != failed.run_id
                or self._outlasts(failed, before.run)
            ):
                self._failed[key] = Failed(failed, version)

    def _outlasts(self, failed: FailedRun, before: FailedRun) -> bool:
        if is_held(before) or is_held(failed):
            return not is_held(before)
        return before.retry_at is None or (
            failed.retry_at is not None and failed.retry_at > before.retry_at
        )

    def clear(self, pipeline: str, source: str) -> None:
        """The source was reached again."""
        with self._lock:
            self._failed.pop((pipeline, source), None)

    def failed(self, pipeline: str, source: str) -> FailedRun | None:
        """How the source's latest run failed as a whole; None when it did not."""
        found = self._find(pipeline, source)
        return None if found is None else found.run

    def _find(self, pipeline: str, source: str) -> Failed | None:
        with self._lock:
            return self._failed.get((pipeline, source))

    def waiting(self, pipeline: str, source: Source) -> Waiting | None:
        """Why cycles leave the source out at the moment; None when they do not."""
        found = self._find(pipeline, source.name)
        if found is None:
            return None
        failed = found.run
        if is_held(failed):
            if found.version not in (None, source.version()):
                return None
            reason, until = Reason.HELD, None
        else:
            until = self.opens(failed)
            if until is None or until <= self._clock.now():
                return None
            reason = Reason.BREAKER if self._broken(failed) else Reason.BACKOFF
        return Waiting(pipeline, source.name, reason, failed.category, failed.attempt, until)

    def clock_moved(self, seconds: float) -> None:
        """The wall clock was set; who waits goes on to wait as long as before, and not till a time that is now far off."""
        by = timedelta(seconds=min(seconds, 0.0))
        with self._lock:
            for key, failed in self._failed.items():
                self._failed[key] = failed.moved(by)

    def not_later_than_now(self) -> None:
        """What failed at a time that is still to come, by a clock that was ahead, has failed just now."""
        now = self._clock.now()
        with self._lock:
            for key, failed in self._failed.items():
                self._failed[key] = failed.moved(min(timedelta(), now - failed.run.failed_at))

    def retry_due(self, pipeline: str, source: str) -> datetime | None:
        """When the source is to be run again by itself, apart from its cycles; None for never."""
        failed = self.failed(pipeline, source)
        if failed is None or failed.retry_at is None or is_held(failed):
            return None
        return self.opens(failed)

    def opens(self, failed: FailedRun) -> datetime | None:
        """Before this moment nothing is tried by itself; None when there is nothing to wait for."""
        pauses = self._failed_pauses(failed)
        return max(pauses, default=None)

    def _failed_pauses(self, failed: FailedRun) -> Iterable[datetime]:
        if failed.retry_at is not None:
            yield failed.retry_at
        if self._broken(failed):
            yield failed.failed_at + self._breaker_pause

    def _broken(self, failed: FailedRun) -> bool:
        return failed.retryable and failed.attempt >= self._breaker_after


def is_held(failed: FailedRun) -> bool:
    """Whether only a person, or another configuration or credentials, let the source run again."""
    return failed.category == Category.AUTHENTICATION and not failed.retryable
