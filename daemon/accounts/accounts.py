"""All mail accounts: those of the configuration beside those that the API keeps.

A name that the configuration has belongs to it. An account that was made by API and whose name the
configuration took later is kept, but not used, until one of the two goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec

from daemon.accounts.key_file import KeyFile
from daemon.accounts.renewals import KeptRenewals
from daemon.accounts.sealing import seal, unseal
from daemon.accounts.secret import Secret
from daemon.accounts.settings import decode_settings
from daemon.errors import CredentialsMissing, NotFound
from daemon.pipelines.catalog import Source
from daemon.pipelines.mail import account
from daemon.pipelines.mail.config import MailSource
from daemon.pipelines.mail.configured import address_of, mailbox_of
from daemon.store.ledgers.accounts.reading import StoredAccount


class KeptAccount(msgspec.Struct, frozen=True):
    """An account that was made by API."""

    stored: StoredAccount
    source: MailSource

    @property
    def name(self) -> str:
        return self.stored.name

    def to_run(self) -> Source:
        """It as a source of the mail pipeline."""
        saved = (self.stored.settings, self.stored.sealed, self.stored.version)
        version = blake2b(msgspec.json.encode(saved), digest_size=8).hexdigest()
        address, server = address_of(self.source), self.source.host.lower()
        return Source(self.name, self.source.enabled, {}, address, lambda: version, server)


class Accounts:
    """Implements `daemon.pipelines.mail.account.Accounts`. Safe for any thread."""

    def __init__(
        self,
        configured: Mapping[str, MailSource],
        of_configuration: account.MailAccounts,
        key_file: KeyFile,
        stored: Iterable[StoredAccount],
        renewed: Mapping[str, bytes] | None = None,
    ) -> None:
        """`of_configuration` finds the secrets of the accounts in `configured`; `renewed`: see `KeptRenewals`."""
        self.renewals = KeptRenewals(key_file, renewed or {})
        self._configured = configured
        self._of_configuration = of_configuration
        self._key_file = key_file
        self._kept = {one.name: _kept(one) for one in stored}

    def account(self, name: str) -> account.MailAccount:
        """The account with its credentials as they are now.

        Raises `NotFound`; `CredentialsMissing` when its secret cannot be had.
        """
        if name in self._configured:
            found = self._of_configuration.account(name)
            return msgspec.structs.replace(found, renewals=self.renewals)
        kept = self.kept(name)
        credentials = self.secret(kept).credentials(kept.source)
        if credentials is None:
            raise CredentialsMissing("the account has no secret of the kind that it needs")
        return account.MailAccount(name, kept.source, credentials, self.renewals)

    def settings(self, name: str) -> MailSource:
        """The settings of the account as they are now. Raises `NotFound`."""
        configured = self._configured.get(name)
        return self.kept(name).source if configured is None else configured

    def configured(self) -> Mapping[str, MailSource]:
        """Those of the configuration."""
        return self._configured

    def all_kept(self) -> dict[str, KeptAccount]:
        """Those that were made by API, shadowed ones included."""
        return self._kept

    def kept(self, name: str) -> KeptAccount:
        """One that was made by API. Raises `NotFound`."""
        if name not in self._kept:
            raise NotFound("there is no mail account of that name")
        return self._kept[name]

    def to_run(self) -> list[Source]:
        """The kept accounts that are in force, as sources of the mail pipeline."""
        return [kept.to_run() for name, kept in self._kept.items() if name not in self._configured]

    def mailboxes(self) -> dict[str, str]:
        """The mailbox that each account in force stands for, as `mailbox_of` says it, by name."""
        in_force = {name: kept.source for name, kept in self._kept.items()} | dict(self._configured)
        return {name: mailbox_of(name, source) for name, source in in_force.items()}

    def secret(self, kept: KeptAccount) -> Secret:
        """The secret of a kept account. Raises `CredentialsMissing`."""
        return unseal(self._key_file.read(), kept.stored.sealed, kept.name, kept.source)

    def sealed(self, name: str, source: MailSource, secret: Secret) -> bytes:
        """A secret as it may be stored. Raises `CredentialsMissing` when the key cannot be had."""
        return seal(self._key_file.read_or_create(), secret, name, source)

    def put(self, stored: StoredAccount) -> KeptAccount:
        """Takes in what was stored. Readers of `all_kept` keep what they have."""
        kept = _kept(stored)
        self._kept = self._kept | {kept.name: kept}
        return kept

    def drop(self, name: str) -> None:
        """Forgets what was removed."""
        self._kept = {n: kept for n, kept in self._kept.items() if n != name}


def _kept(stored: StoredAccount) -> KeptAccount:
    return KeptAccount(stored, decode_settings(stored.settings))
