"""The accounts of the configuration, whose secrets are in environment variables and files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from daemon.config import MailSource, Secrets
from daemon.config.schema import MailOAuth
from daemon.errors import NotFound
from daemon.pipelines.mail.account import Account, Credentials, OAuth, Password


class ConfiguredAccounts:
    """Looks secrets up for every run, so that a password in a file may change."""

    def __init__(self, sources: Mapping[str, MailSource], secrets: Secrets, base: Path) -> None:
        self.sources = dict(sources)
        self._secrets = secrets
        self._base = base

    def account(self, name: str) -> Account:
        """The account with its credentials. Raises `NotFound`, `CredentialsMissing`."""
        source = self.sources.get(name)
        if source is None:
            raise NotFound("there is no mail account of that name")
        return Account(name, source, self._credentials(source))

    def _credentials(self, source: MailSource) -> Credentials:
        if source.oauth is not None:
            return self._oauth(source.oauth)
        return Password(self._read(source.password_env, source.password_file))

    def _oauth(self, oauth: MailOAuth) -> OAuth:
        public = oauth.client_secret_env is None and oauth.client_secret_file is None
        return OAuth(
            token_url=oauth.token_url,
            client_id=oauth.client_id,
            client_secret=None
            if public
            else self._read(oauth.client_secret_env, oauth.client_secret_file),
            refresh_token=self._read(oauth.refresh_token_env, oauth.refresh_token_file),
            scope=oauth.scope,
        )

    def _read(self, env: str | None, file: str | None) -> str:
        return self._secrets.read(env, file, self._base)
