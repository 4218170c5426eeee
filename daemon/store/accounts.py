"""Mail accounts that were made by API, as they are stored: their secrets only encrypted."""

from __future__ import annotations

from datetime import datetime

import duckdb
import msgspec

from daemon.events import AccountEvent, AccountRemoved, AccountSaved
from daemon.store import mailboxes
from daemon.store.database import Database
from daemon.store.records import select, stored, utc
from daemon.store.sql import SQL

_PIPELINE = "mail"


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
    def of(cls, event: AccountSaved, before: StoredAccount | None) -> StoredAccount:
        """What an event makes of the account that was there before."""
        return cls(
            event.name,
            event.settings,
            event.sealed,
            event.version,
            before.created_at if before else event.at,
            before.created_by if before else event.by,
            event.at,
            event.by,
        )


def read_accounts(database: Database) -> list[StoredAccount]:
    """All accounts by name."""
    rows = database.rows(f"SELECT {select(StoredAccount)} FROM accounts ORDER BY name")
    return [StoredAccount(*map(utc, row)) for row in rows]


def apply(connection: duckdb.DuckDBPyConnection, event: AccountEvent) -> None:
    """Carries out one change, within the writer's transaction."""
    match event:
        case AccountSaved():
            values = [event.settings, event.sealed, event.version, stored(event.at), event.by]
            connection.execute(SQL["update_account"], [*values, event.name])
            connection.execute(
                SQL["insert_account"], [event.name, *values, *values[-2:], event.name]
            )
            if _is_elsewhere(connection, event):
                mailboxes.replace(connection, _PIPELINE, event.name, event.mailbox)
        case AccountRemoved():
            connection.execute(SQL["delete_account"], [event.name])


def _is_elsewhere(connection: duckdb.DuckDBPyConnection, event: AccountSaved) -> bool:
    """Whether the account stands for another mailbox than its name did, for all that is known.

    A person who changes the port may mean another server, behind a tunnel. When in doubt it is another
    mailbox: a message that is labelled once more stays what it is.
    """
    if event.version > 1 and "port" in event.changed:
        return True
    return mailboxes.known(connection, _PIPELINE).get(event.name) != event.mailbox
