"""A stand-in: the accounts of the configuration, with their secrets as they are at the moment."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from daemon.config import MailConfig, MailSource, Settings
from daemon.errors import NotFound
from daemon.pipelines.catalog import Source
from daemon.pipelines.mail.account import Account, Credentials, OAuth, Password


class ConfiguredAccounts:
    """See `daemon.pipelines.mail.account.Accounts`. Threads may share it."""

    def __init__(self, config: MailConfig, settings: Settings) -> None:
        self._config = config
        self._secrets = settings.secrets
        self._base = settings.base

    def account(self, name: str) -> Account:
        """See `Accounts.account`."""
        source = self._config.sources.get(name)
        if source is None:
            raise NotFound(f"there is no mail account {name} in the configuration")
        return Account(name, source, self._credentials(source))

    def sources(self) -> dict[str, Source]:
        """All accounts as sources of the catalog."""
        return {
            name: Source(name, source.enabled, {}, address_of(source), _version(source))
            for name, source in self._config.sources.items()
        }

    def _credentials(self, source: MailSource) -> Credentials:
        oauth = source.oauth
        if oauth is None:
            return Password(self._read(source.password_env, source.password_file))
        public = oauth.client_secret_env is None and oauth.client_secret_file is None
        secret = None if public else self._read(oauth.client_secret_env, oauth.client_secret_file)
        return OAuth(
            token_url=oauth.token_url,
            client_id=oauth.client_id,
            client_secret=secret,
            refresh_token=self._read(oauth.refresh_token_env, oauth.refresh_token_file),
            scope=oauth.scope,
        )

    def _read(self, env: str | None, file: str | None) -> str:
        return self._secrets.read(env, file, self._base)


def address_of(source: MailSource) -> str | None:
    """The e-mail address of an account, as far as its settings tell."""
    if source.email_address:
        return source.email_address
    return source.username if "@" in source.username else None


def _version(source: MailSource) -> str:
    text = msgspec.json.encode(source, enc_hook=repr, order="deterministic")
    return blake2b(text, digest_size=8).hexdigest()
