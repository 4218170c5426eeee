"""What people do with mail accounts: make, change, remove, verify. One place for API and command line.

Nothing here writes to the store: a change becomes an event, and takes effect once it is on disk.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime

from daemon.accounts.accounts import Accounts, KeptAccount
from daemon.accounts.secret import Secret, destination
from daemon.accounts.settings import changed_settings, encode_settings
from daemon.accounts.verification import Verification, Verifier
from daemon.clock import Clock
from daemon.errors import Conflict, CredentialsMissing
from daemon.events import LedgerChanged
from daemon.journal import log as journal
from daemon.operations.decision import store_decision
from daemon.pipelines.catalog import Catalog
from daemon.pipelines.mail.config import PIPELINE, MailSource
from daemon.pipelines.mail.configured import mailbox_of
from daemon.pipelines.mail.facts import (
    AccountFacts,
    AccountRemoved,
    AccountSaved,
    RefreshTokenRenewed,
)
from daemon.recorder import Recorder
from daemon.retry.automatic import AutomaticRetries
from daemon.store.entries import Committed
from daemon.store.ledgers.accounts.reading import StoredAccount

log = logging.getLogger("triaged.accounts")


TOKEN_SECONDS = 5.0
"""How long a renewed refresh token may take to be stored before it is used all the same."""


class SecretNeeded(Conflict):
    """The secret is needed again, because it would go to another place than the one it was given for."""


class AccountOperations:
    """Changes accounts, one change at a time."""

    def __init__(
        self,
        accounts: Accounts,
        catalog: Catalog,
        recorder: Recorder,
        retries: AutomaticRetries,
        verifier: Verifier,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._catalog = catalog
        self._recorder = recorder
        self._retries = retries
        self._verifier = verifier
        self._clock = clock
        self._changing = threading.Lock()
        accounts.renewals.connect(self._keep_token)

    def _keep_token(self, renewed: RefreshTokenRenewed) -> None:
        changed = LedgerChanged(at=self._clock.now(), facts=renewed)
        self._recorder.wait(self._recorder.record(changed), TOKEN_SECONDS)

    def create(self, name: str, source: MailSource, secret: Secret, by: str) -> None:
        """Makes an account. Raises `Conflict` when its name is taken."""
        with self._changing:
            self._require_unconfigured(name)
            if name in self._accounts.all_kept():
                raise Conflict("there is a mail account of that name: change it with PUT")
            if PIPELINE not in self._catalog.pipelines:
                raise Conflict(
                    "the configuration has no mail pipeline: add [pipelines.mail] to it and restart"
                )
            self._save(name, source, secret, None, by)

    def replace(self, name: str, source: MailSource, secret: Secret | None, by: str) -> None:
        """Replaces an account's settings, and its secret if one is given.

        Raises `NotFound`, `Conflict`, and `SecretNeeded` when the one before cannot be kept.
        """
        with self._changing:
            self._require_unconfigured(name)
            before = self._accounts.kept(name)
            if secret is None and destination(before.source) != destination(source):
                raise SecretNeeded
            self._save(name, source, secret, before, by)

    def remove(self, name: str, by: str) -> None:
        """Removes an account that was made by API. A run of it goes on, and its history stays.

        Raises `NotFound`, `Conflict`.
        """
        with self._changing:
            if name not in self._accounts.all_kept():
                self._require_unconfigured(name)
            self._accounts.kept(name)
            self._store(AccountRemoved(by=by, name=name))

    def verify(self, name: str) -> Verification:
        """Tries the login now. One that works lets an account go that was held, and runs it."""
        found = self._verifier.verify(name)
        if found.failed is None and self._catalog.find(PIPELINE, name) is not None:
            self._retries.go(PIPELINE, name)
        return found

    def _require_unconfigured(self, name: str) -> None:
        if name in self._accounts.configured():
            raise Conflict(
                f"the account is in the configuration file: change [pipelines.mail.sources.{name}] there"
            )

    def _save(
        self,
        name: str,
        source: MailSource,
        secret: Secret | None,
        before: KeptAccount | None,
        by: str,
    ) -> None:
        changed = changed_settings(before.source if before else None, source)
        if secret is not None:
            changed = (*changed, "secret")
            sealed = self._accounts.sealed(name, source, secret)
        else:
            assert before is not None, "a new account has a secret"
            sealed = before.stored.sealed
        saved = AccountSaved(
            by=by,
            name=name,
            settings=encode_settings(source),
            mailbox=mailbox_of(name, source),
            sealed=sealed,
            version=before.stored.version + 1 if before else 1,
            changed=changed,
        )
        self._store(saved)

    def _store(self, facts: AccountFacts) -> None:
        store_decision(self._recorder, LedgerChanged(at=self._clock.now(), facts=facts))

    def follow(self, committed: Committed) -> None:
        """A subscriber of the recorder: what is on disk takes effect."""
        for entry in committed.entries:
            if isinstance(entry.event, LedgerChanged):
                self._take_in(entry.event)

    def _take_in(self, event: LedgerChanged) -> None:
        match event.facts:
            case AccountSaved() as saved:
                self._saved(saved, event.at)
            case AccountRemoved() as removed:
                self._removed(removed)
            case _:
                pass  # a change of another ledger

    def _saved(self, saved: AccountSaved, at: datetime) -> None:
        fields = {"event": "account_saved", **_who(saved), "changed": list(saved.changed)}
        journal.info("a person changed a mail account", extra=fields)
        before = self._accounts.all_kept().get(saved.name)
        kept = self._accounts.put(StoredAccount.of(saved, at, before.stored if before else None))
        if PIPELINE in self._catalog.pipelines and saved.name not in self._accounts.configured():
            self._catalog.set_source(PIPELINE, kept.to_run())

    def _removed(self, removed: AccountRemoved) -> None:
        fields = {"event": "account_removed", **_who(removed)}
        journal.info("a person removed a mail account", extra=fields)
        name = removed.name
        self._accounts.drop(name)
        if name not in self._accounts.configured() and self._catalog.find(PIPELINE, name):
            self._catalog.remove_source(PIPELINE, name)

    def report_missing(self) -> None:
        """Logs which accounts cannot run for want of their secret."""
        for name, kept in self._accounts.all_kept().items():
            try:
                self._accounts.secret(kept)
            except CredentialsMissing as error:
                log.warning(
                    "the secret of a mail account cannot be had",
                    extra={"event": "account_secret_missing", "source": name, "reason": str(error)},
                )


def _who(facts: AccountFacts) -> dict[str, str]:
    return {"by": facts.by, "pipeline": PIPELINE, "source": facts.name}
