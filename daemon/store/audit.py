"""Reads the audit trail: who did what, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from daemon.store.columns.audit import EXPORTED, OUTSIDE, AuditRecord
from daemon.store.csv_stream import cells, copy_to, stream
from daemon.store.database import Database
from daemon.store.filters import Where
from daemon.store.position import Position
from daemon.store.reading import Reader, Snapshot
from daemon.store.records import select, stored, utc
from daemon.store.sql import SQL, query

KEY_ACTIONS = ("keys.created", "keys.revoked")


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries. What is None does not restrict."""

    by: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    """Inclusive."""
    until: datetime | None = None
    """Exclusive."""
    q: str | None = None
    """Text in any of the columns, in any case."""


class AuditPage(msgspec.Struct, frozen=True):
    """Some entries and where the next ones begin."""

    entries: list[AuditRecord]
    next_cursor: str | None


class KeyChange(msgspec.Struct, frozen=True):
    """An entry about a key of the keys file."""

    at: datetime
    action: str
    name: str


class Audit:
    """Queries over the audit trail."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def page(self, f: AuditFilter, limit: int, cursor: str | None = None) -> AuditPage:
        """The newest `limit` entries that match, after `cursor`. Raises `InvalidQuery`."""
        where = _matching(f)
        if cursor is not None:
            after = Position.parse(cursor)
            where += Where("(audited_at, id) < (?, ?)", [after.time, after.id])
        rows = self._reader.rows(
            query("newest_audit", columns=select(AuditRecord), where=where.sql),
            [*where.parameters, limit + 1],
        )
        entries = [AuditRecord(*map(utc, row)) for row in rows[:limit]]
        more = len(rows) > limit
        return AuditPage(entries, str(_position(entries[-1])) if more else None)

    def total(self, f: AuditFilter) -> int:
        """How many entries match."""
        where = _matching(f)
        row = self._reader.row(query("count_audit", where=where.sql), where.parameters)
        return int(row[0]) if row else 0

    def key_changes(self) -> set[KeyChange]:
        """What is known of keys being created and revoked."""
        rows = self._reader.rows(SQL["audited_key_changes"], [list(KEY_ACTIONS)])
        return {KeyChange(*map(utc, row)) for row in rows}


_SEARCHED = ("done_by", "action", "subject", "outcome", "reason", "details")


def _position(entry: AuditRecord) -> Position:
    return Position(stored(entry.audited_at), entry.id)


def _matching(f: AuditFilter) -> Where:
    parts, parameters = ["true"], list[Any]()
    for column, value in (("done_by", f.by), ("action", f.action), ("subject", f.subject)):
        if value is not None:
            parts.append(f"{column} = ?")
            parameters.append(value)
    for comparison, moment in ((">=", f.since), ("<", f.until)):
        if moment is not None:
            parts.append(f"audited_at {comparison} ?")
            parameters.append(stored(moment))
    if f.q:
        parts.append("(" + " OR ".join(f"contains(lower({c}), ?)" for c in _SEARCHED) + ")")
        parameters += [f.q.lower()] * len(_SEARCHED)
    return Where(" AND ".join(parts), parameters)


_CELLS = cells(AuditRecord, EXPORTED, OUTSIDE)


def audit_csv(database: Database, f: AuditFilter) -> Iterator[bytes]:
    """All entries that match, newest first, as of the moment of the call, with a header line."""
    return stream(database, partial(_statements, f))


def _statements(f: AuditFilter, _: Snapshot, file: str) -> Iterator[Where]:
    where = _matching(f)
    wanted = query("export_audit", columns=_CELLS, where=where.sql)
    yield copy_to(file, Where(wanted, where.parameters), header=True)
