"""Reads the mail accounts that were made by API: their secrets only encrypted."""

from __future__ import annotations

from datetime import datetime

import msgspec

from daemon.pipelines.mail.facts import AccountSaved
from daemon.store.database import Database
from daemon.store.ledgers.accounts import SQL
from daemon.store.records import select, utc


class StoredAccount(msgspec.Struct, frozen=True):
    """One account. The order of the fields is the order of the columns that are read."""

    name: str
    settings: str
    """A `MailSource` as JSON."""
    sealed: bytes
    """The encrypted secret."""
    version: int
    """How many times it was saved."""
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @classmethod
    def of(cls, saved: AccountSaved, at: datetime, before: StoredAccount | None) -> StoredAccount:
        """What saving it at that time makes of the account that was there before."""
        return cls(
            saved.name,
            saved.settings,
            saved.sealed,
            saved.version,
            before.created_at if before else at,
            before.created_by if before else saved.by,
            at,
            saved.by,
        )


def read_renewed(database: Database) -> dict[str, bytes]:
    """Refresh tokens in place of those that accounts were given, encrypted, by the ids of those."""
    return dict(database.read().rows(SQL["renewed_tokens"]))


def read_accounts(database: Database) -> list[StoredAccount]:
    """All accounts by name."""
    rows = database.read().rows(f"SELECT {select(StoredAccount)} FROM accounts ORDER BY name")
    return [StoredAccount(*map(utc, row)) for row in rows]
