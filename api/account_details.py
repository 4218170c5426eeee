"""Puts together what is shown of mail accounts: their settings, their secrets' state, and their runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.schemas.accounts import Account, settings_shown
from api.schemas.standing import StandingDetail
from api.schemas.waiting import WaitingSource
from daemon.accounts.accounts import Accounts, KeptAccount
from daemon.errors import CredentialsMissing, NotFound
from daemon.gate import Gate
from daemon.pipelines.catalog import Catalog
from daemon.pipelines.mail.config import PIPELINE, MailSource
from daemon.pipelines.mail.configured import address_of
from daemon.standing import Standings
from daemon.store.ledgers.accounts.reading import StoredAccount
from daemon.store.runs import Runs
from daemon.taxonomy import RunStatus


class AccountDetails:
    """Accounts with how they stand, as of one moment."""

    def __init__(
        self, accounts: Accounts, runs: Runs, catalog: Catalog, gate: Gate, standings: Standings
    ) -> None:
        self._accounts = accounts
        self._standings = standings
        self._catalog = catalog
        self._gate = gate
        self._configured = accounts.configured()
        self._kept = accounts.all_kept()
        self._latest = runs.latest_by_source(PIPELINE)

    def all(self) -> list[Account]:
        """All accounts by name; where two have one name, the one in force comes first."""
        found = [self._configured_account(name) for name in self._configured]
        found += [self._kept_account(kept) for kept in self._kept.values()]
        return sorted(found, key=lambda account: (account.name, not account.in_force))

    def one(self, name: str) -> Account:
        """The account of that name, the one in force of two. Raises `NotFound`."""
        if name in self._configured:
            return self._configured_account(name)
        if name not in self._kept:
            raise NotFound("there is no mail account of that name")
        return self._kept_account(self._kept[name])

    def _configured_account(self, name: str) -> Account:
        account = self._accounts.account
        return self._account(name, self._configured[name], lambda: account(name))

    def _kept_account(self, kept: KeptAccount) -> Account:
        secret = self._accounts.secret
        return self._account(kept.name, kept.source, lambda: secret(kept), kept)

    def _account(
        self,
        name: str,
        source: MailSource,
        find_secret: Callable[[], object],
        kept: KeptAccount | None = None,
    ) -> Account:
        note, problem = self._note(kept), _problem(find_secret)
        return Account(
            name=name,
            origin="api" if kept else "configuration",
            in_force=note is None,
            note=note,
            email_address=address_of(source),
            has_password=problem is None,
            password_problem=problem,
            **(self._standing(name) if note is None else _NOTHING),
            **(_saved(kept.stored) if kept else dict.fromkeys(_SAVED)),
            **settings_shown(source),
        )

    def _note(self, kept: KeptAccount | None) -> str | None:
        if kept is not None and kept.name in self._configured:
            return (
                "The configuration has an account of the same name, which is in force. Remove this one, "
                "or take the other out of the configuration."
            )
        if PIPELINE not in self._catalog.pipelines:
            return "The configuration has no mail pipeline: add [pipelines.mail] to it and restart."
        return None

    def _standing(self, name: str) -> dict[str, Any]:
        latest = self._latest.get(name)
        source = self._catalog.find(PIPELINE, name)
        waiting = self._gate.waiting(PIPELINE, source) if source else None
        standing = StandingDetail.of(self._standings.of(PIPELINE, name))
        return {
            "latest_status": RunStatus(latest.status) if latest else None,
            "latest_run_id": latest.run_id if latest else None,
            "last_success_at": standing.last_success_at,
            "waiting": WaitingSource.of(waiting) if waiting else None,
            "standing": standing,
        }


_SAVED = ("created_at", "created_by", "updated_at", "updated_by")
_NOTHING: dict[str, Any] = dict.fromkeys(
    ("latest_status", "latest_run_id", "last_success_at", "waiting", "standing")
)


def _saved(stored: StoredAccount) -> dict[str, Any]:
    return {name: getattr(stored, name) for name in _SAVED}


def _problem(find_secret: Callable[[], object]) -> str | None:
    try:
        find_secret()
    except CredentialsMissing as error:
        return str(error)
    return None


class ShownAccounts:
    """Accounts as they are whenever somebody asks."""

    def __init__(
        self, accounts: Accounts, runs: Runs, catalog: Catalog, gate: Gate, standings: Standings
    ) -> None:
        self._sources = accounts, runs, catalog, gate, standings

    def now(self) -> AccountDetails:
        """As they are at this moment."""
        return AccountDetails(*self._sources)
