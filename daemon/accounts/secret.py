"""The secret part of an account."""

from __future__ import annotations

import msgspec

from daemon.pipelines.mail.account import Credentials, OAuth, Password
from daemon.pipelines.mail.config import MailSource


class Secret(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was given by API and is never shown again. Its repr shows nothing of it."""

    password: str | None = None
    client_secret: str | None = None
    refresh_token: str | None = None

    def __repr__(self) -> str:
        return "Secret()"

    def credentials(self, source: MailSource) -> Credentials | None:
        """What a run logs in with; None when the account wants another kind of secret."""
        if source.oauth is None:
            return None if self.password is None else Password(self.password)
        if self.refresh_token is None:
            return None
        return OAuth(
            token_url=source.oauth.token_url,
            client_id=source.oauth.client_id,
            client_secret=self.client_secret,
            refresh_token=self.refresh_token,
            scope=source.oauth.scope,
        )


def destination(source: MailSource) -> tuple[object, ...]:
    """Where the secret of an account is sent to. It is not kept for any other place."""
    oauth = source.oauth
    return (
        source.host.lower(),
        port_of(source),
        source.tls,
        source.ca_file,
        (oauth.token_url, oauth.client_id) if oauth else None,
    )


def port_of(source: MailSource) -> int:
    """The port, the usual one if none is given."""
    return source.port or (993 if source.tls == "implicit" else 143)
