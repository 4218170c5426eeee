"""Reads what no rule recognised: groups of such failures, each with a message as it came."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from daemon.store.filters import FailureFilter, counted
from daemon.store.reading import Reader
from daemon.store.records import stored, utc
from daemon.store.sql import SQL, query
from daemon.triage.rules.rule import UNMATCHED


class UnmatchedGroup(msgspec.Struct, frozen=True):
    """Failures that no rule recognised and whose messages are alike."""

    failure_group: str
    pipeline: str
    exception_type: str | None
    message: str
    """The message with what varies replaced."""
    count: int
    sources: list[str]
    first_seen: datetime
    last_seen: datetime
    sample: str = ""
    """The newest message, masked."""


class Unmatched:
    """Queries over failures that no rule recognised."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def groups(
        self, f: FailureFilter, limit: int, offset: int = 0
    ) -> tuple[list[UnmatchedGroup], int]:
        """Groups among the failures that match, most failures first, and how many there are.

        After the last of them the number is 0.
        """
        relation = counted(f)
        rows = self._reader.rows(
            query("unmatched_groups", counted=relation.sql),
            [*relation.parameters, UNMATCHED.name, limit, offset],
        )
        groups = [UnmatchedGroup(*map(utc, row[:-1])) for row in rows]
        samples = self._samples(groups) if groups else {}
        with_samples = [
            msgspec.structs.replace(group, sample=samples.get(group.failure_group, group.message))
            for group in groups
        ]
        return with_samples, rows[0][-1] if rows else 0

    def _samples(self, groups: list[UnmatchedGroup]) -> dict[str, str]:
        """The newest message of each. The times when they were last seen bound what is read."""
        seen = [stored(group.last_seen) for group in groups]
        parameters: list[Any] = [[group.failure_group for group in groups], min(seen), max(seen)]
        return dict(self._reader.rows(SQL["newest_messages"], parameters))
