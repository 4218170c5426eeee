"""Reads the failures that nothing and nobody has dealt with yet, and which of them a person has made quiet.

A person makes failures quiet who ignores or resolves their group: they keep their status.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from daemon.store.database import Database
from daemon.store.records import stored, utc
from daemon.store.sql import SQL, query


class PendingKind(NamedTuple):
    """Pending failures of a source and category."""

    quiet_open: int
    quiet_retrying: int
    since: datetime | None
    """When the oldest that is not quiet occurred; None when all are quiet."""


class PendingFailures:
    """Queries over pending failures."""

    def __init__(self, database: Database) -> None:
        self._reader = database.read()

    def by_kind(self, now: datetime) -> Mapping[tuple[str, str, str], PendingKind]:
        """All kinds, by pipeline, source and category."""
        rows = self._reader.rows(_BY_KIND, {"now": stored(now)})
        return {(row[0], row[1], row[2]): PendingKind(*map(utc, row[3:])) for row in rows}

    def next_loud(self, now: datetime) -> datetime | None:
        """When the next of the groups that are ignored for a time is no longer."""
        row = self._reader.row(SQL["next_loud"], {"now": stored(now)})
        return utc(row[0]) if row else None

    def of_items(self, pipeline: str, source: str, now: datetime) -> int:
        """How many failures the items of a source have, quiet ones apart: open ones, if there are any."""
        asked = {"pipeline": pipeline, "source": source, "now": stored(now)}
        row = self._reader.row(_OF_ITEMS, asked)
        return int(row[0] or row[1]) if row else 0


_PARTS = {"decided_groups": SQL["decided_groups"], "is_quiet": SQL["is_quiet"]}
_BY_KIND, _OF_ITEMS = (query(name, **_PARTS) for name in ("pending_by_kind", "pending_items"))
