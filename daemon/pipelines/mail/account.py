"""A mail account as a run needs it: where it is, and how to log in."""

from __future__ import annotations

from typing import Protocol

import msgspec

from daemon.pipelines.mail.config import MailSource


class Password(msgspec.Struct, frozen=True):
    """A password or app password. Its repr does not show it."""

    value: str

    def __repr__(self) -> str:
        return "Password()"


class OAuth(msgspec.Struct, frozen=True, kw_only=True):
    """What access tokens are got with. Its repr shows no secret."""

    token_url: str
    client_id: str
    client_secret: str | None
    refresh_token: str
    scope: str | None

    def __repr__(self) -> str:
        return f"OAuth({self.client_id!r})"


Credentials = Password | OAuth


class Renewals(Protocol):
    """Refresh tokens that came in place of those that accounts were given."""

    def latest(self, oauth: OAuth) -> str | None:
        """The newest one; None while it is the one that was given, or if it cannot be had any more."""
        ...

    def keep(self, source: str, oauth: OAuth, token: str) -> None:
        """Keeps the newest one of an account, for good."""
        ...


class MailAccount(msgspec.Struct, frozen=True):
    """One account with its secrets."""

    name: str
    source: MailSource
    credentials: Credentials
    renewals: Renewals | None = None


class MailAccounts(Protocol):
    """All accounts, wherever they were configured."""

    def account(self, name: str) -> MailAccount:
        """The account with its credentials as they are now.

        Raises `NotFound`; `CredentialsMissing` when its secret cannot be had.
        """
        ...
