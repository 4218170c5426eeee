"""The accounts of the configuration, with their secrets as they are at the moment."""

from __future__ import annotations

from daemon.config import Config, Settings
from daemon.errors import CredentialsMissing, NotFound
from daemon.pipelines.catalog import Source
from daemon.pipelines.mail.account import Credentials, MailAccount, OAuth, Password
from daemon.pipelines.mail.config import PIPELINE, MailConfig, MailSource
from daemon.pipelines.versions import opaque, version_of, version_with_secret


def mail_config(config: Config) -> MailConfig:
    """The mail pipeline of a configuration; one without accounts where it has none."""
    found = config.pipelines.get(PIPELINE)
    return found if isinstance(found, MailConfig) else MailConfig()


class ConfiguredAccounts:
    """See `daemon.pipelines.mail.account.Accounts`. Threads may share it."""

    def __init__(self, config: MailConfig, settings: Settings) -> None:
        self._config = config
        self._secrets = settings.secrets
        self._base = settings.base

    def account(self, name: str) -> MailAccount:
        """See `Accounts.account`."""
        source = self.settings(name)
        return MailAccount(name, source, self._credentials(source))

    def settings(self, name: str) -> MailSource:
        """See `KeptAccounts.settings`."""
        source = self._config.sources.get(name)
        if source is None:
            raise NotFound(f"there is no mail account {name} in the configuration")
        return source

    def version(self, name: str) -> str:
        """Changes when the account's settings or its credentials do; never raises for a known name."""
        source = self._config.sources[name]
        try:
            secret = secret_of(self._credentials(source))
        except CredentialsMissing:
            secret = ""
        return version_with_secret(version_of(source), secret)

    def sources(self) -> dict[str, Source]:
        """All accounts as sources of the catalog."""
        return {name: self._source(name, source) for name, source in self._config.sources.items()}

    def _source(self, name: str, source: MailSource) -> Source:
        return Source(
            name,
            source.enabled,
            {},
            address_of(source),
            lambda: self.version(name),
            source.host.lower(),
        )

    def _credentials(self, source: MailSource) -> Credentials:
        oauth = source.oauth
        if oauth is None:
            return Password(self._read(source.password_env, source.password_file))
        has_secret = oauth.client_secret_env is not None or oauth.client_secret_file is not None
        return OAuth(
            token_url=oauth.token_url,
            client_id=oauth.client_id,
            client_secret=self._read(oauth.client_secret_env, oauth.client_secret_file)
            if has_secret
            else None,
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


def mailbox_of(name: str, source: MailSource) -> str:
    """16 hex digits that stand for the mailbox behind an account, and give away neither server nor user.

    However the account gets there (port, TLS, password), it is the same mailbox.
    """
    return opaque(f"{source.host.lower()}\0{source.username}", salt=f"mailbox {name}")


def secret_of(credentials: Credentials) -> str:
    """What is secret in them, as one text."""
    if isinstance(credentials, Password):
        return credentials.value
    return "\0".join((credentials.refresh_token, credentials.client_secret or ""))
