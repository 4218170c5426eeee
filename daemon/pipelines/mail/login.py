"""Logging in with a password, or with an access token (XOAUTH2)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from daemon.pipelines.mail import errors
from daemon.pipelines.mail.account import MailAccount, OAuth, Password
from daemon.pipelines.mail.connect import Connection
from daemon.pipelines.mail.conversation import ImapConversation

_ATOM = re.compile(r"[A-Za-z0-9!#$&'+,./:;<=>?@^_`|~-]+")
_FOR_LOGIN = re.compile(r"[ -~]*")
_TOKEN_CODES = {None, "AUTHENTICATIONFAILED", "EXPIRED"}
_ABOUT_TOKENS = re.compile(r"authenticat|credential|token|expired", re.IGNORECASE)
_PASSING = re.compile(r"temporar|unavailable|too many", re.IGNORECASE)


def log_in(
    conversation: ImapConversation, account: MailAccount, token: Callable[[OAuth], str]
) -> None:
    """Logs in, unless the server has done so by itself.

    `token` gives an access token. Raises `LoginRefused`, `TokenLoginRefused`, `EncryptionNeeded`,
    `LoginNotOffered`, and what the connection fails with.
    """
    connection = conversation.connection
    if connection.is_logged_in():
        return
    offered = conversation.ask(errors.LoginRefused, connection.capabilities)
    user, credentials = account.source.username, account.credentials
    if isinstance(credentials, OAuth):
        _by_token(conversation, offered, user, token(credentials))
    elif b"LOGINDISABLED" in offered:
        raise errors.EncryptionNeeded
    else:
        _by_password(conversation, offered, user, credentials)


def _by_password(
    conversation: ImapConversation, offered: tuple[bytes, ...], user: str, password: Password
) -> None:
    connection = conversation.connection
    if _FOR_LOGIN.fullmatch(user + password.value):
        conversation.ask(
            errors.LoginRefused, lambda: connection.login(_quoted(user), password.value)
        )
        return
    # LOGIN knows ASCII only.
    if b"AUTH=PLAIN" not in offered:
        raise errors.LoginNotOffered(
            "The mail server does not offer the authentication mechanism PLAIN, "
            "which a user name or password with other characters than ASCII needs"
        )
    conversation.ask(errors.LoginRefused, lambda: connection.plain_login(user, password.value))


def _by_token(
    conversation: ImapConversation, offered: tuple[bytes, ...], user: str, token: str
) -> None:
    if b"AUTH=XOAUTH2" not in offered:
        raise errors.LoginNotOffered(
            "The mail server does not offer the authentication mechanism XOAUTH2"
        )
    exchange = _XOAuth2(user, token)
    try:
        conversation.ask(errors.LoginRefused, lambda: exchange.run(conversation.connection))
    except errors.LoginRefused as refused:
        if exchange.refused_with is None and not _is_about_the_token(refused):
            raise
        raise errors.TokenLoginRefused(
            f"{refused}{exchange.refused_with or ''}",
            imap_code=refused.imap_code,
            retry_after=refused.retry_after,
        ) from None


class _XOAuth2:
    """The exchange: the token, and on refusal a challenge of the server that says why."""

    def __init__(self, user: str, token: str) -> None:
        self._first = xoauth2(user, token)
        self._sent = False
        self.refused_with: str | None = None

    def run(self, connection: Connection) -> Any:
        return connection.sasl_login("XOAUTH2", self._respond)

    def _respond(self, challenge: bytes) -> str:
        if self._sent:
            self.refused_with = _status_in(challenge)
            return ""
        self._sent = True
        return self._first


def xoauth2(user: str, token: str) -> str:
    """What is said to log in with an access token."""
    return f"user={user}\1auth=Bearer {token}\1\1"


def _status_in(challenge: bytes) -> str:
    try:
        status = json.loads(challenge)["status"]
    except (ValueError, TypeError, KeyError):
        return ""
    return f" (status {str(status)[:20]})"


def _is_about_the_token(refused: errors.LoginRefused) -> bool:
    if refused.imap_code in _TOKEN_CODES - {None}:
        return True
    text = str(refused)
    return (
        refused.imap_code is None and bool(_ABOUT_TOKENS.search(text)) and not _PASSING.search(text)
    )


def _quoted(user: str) -> str:
    """imaplib quotes the password only."""
    if _ATOM.fullmatch(user):
        return user
    return '"' + user.replace("\\", "\\\\").replace('"', '\\"') + '"'
