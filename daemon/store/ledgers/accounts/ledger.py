"""How mail accounts that were made by API are stored: their secrets only encrypted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

import duckdb

from daemon.events import Facts, LedgerChanged
from daemon.pipelines.mail.config import PIPELINE
from daemon.pipelines.mail.facts import AccountRemoved, AccountSaved, RefreshTokenRenewed
from daemon.store.ledger import FailureRows, ItemDecision, Ledger, LedgerBatch
from daemon.store.ledgers.accounts import SQL
from daemon.store.ledgers.messages import mailboxes
from daemon.store.records import stored
from daemon.store.tables import Tables

_Change = AccountSaved | AccountRemoved | RefreshTokenRenewed


class AccountsBatch(LedgerBatch):
    """What a person did with accounts, and which refresh tokens came anew."""

    def __init__(self) -> None:
        self._changes: list[tuple[_Change, LedgerChanged]] = []

    def change(self, facts: Facts, event: LedgerChanged) -> Iterable[ItemDecision]:
        assert isinstance(facts, _Change)
        self._changes.append((facts, event))
        return ()

    def write(self, tables: Tables, failure_rows: FailureRows) -> None:  # noqa: ARG002
        for facts, event in self._changes:
            match facts:
                case AccountSaved():
                    _save(tables.connection, facts, event)
                case AccountRemoved():
                    tables.execute(SQL["delete_account"], [facts.name])
                    tables.execute(SQL["drop_tokens_of_account"], [facts.name])
                case RefreshTokenRenewed():
                    tables.execute(SQL["drop_token"], [facts.token_id])
                    row = [facts.token_id, facts.source, facts.sealed, stored(event.at)]
                    tables.execute(SQL["add_token"], row)
                case _:
                    assert_never(facts)


def _save(connection: duckdb.DuckDBPyConnection, saved: AccountSaved, event: LedgerChanged) -> None:
    values = [saved.settings, saved.sealed, saved.version, stored(event.at), saved.by]
    connection.execute(SQL["update_account"], [*values, saved.name])
    connection.execute(SQL["insert_account"], [saved.name, *values, *values[-2:], saved.name])
    if _is_elsewhere(connection, saved):
        mailboxes.replace(connection, PIPELINE, saved.name, saved.mailbox)


def _is_elsewhere(connection: duckdb.DuckDBPyConnection, saved: AccountSaved) -> bool:
    """Whether the account stands for another mailbox than its name did, for all that is known.

    A person who changes the port may mean another server, behind a tunnel. When in doubt it is another
    mailbox: a message that is labelled once more stays what it is.
    """
    if saved.version > 1 and "port" in saved.changed:
        return True
    return mailboxes.known(connection, PIPELINE).get(saved.name) != saved.mailbox


def _forget_before(connection: duckdb.DuckDBPyConnection, start: datetime) -> None:
    connection.execute(SQL["expire_tokens"], [start])


ACCOUNTS = Ledger(
    name="accounts",
    batch=AccountsBatch,
    of_changes=(AccountSaved, AccountRemoved, RefreshTokenRenewed),
    forget_before=_forget_before,
)
