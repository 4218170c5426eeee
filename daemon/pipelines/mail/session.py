"""A stand-in for the IMAP session: it logs in and out."""

from __future__ import annotations

import imaplib

from daemon.clock import Clock
from daemon.pipelines.mail.account import Account, Password


def verify(account: Account, _clock: Clock) -> None:
    """Logs in. Raises what went wrong."""
    source = account.source
    kind = imaplib.IMAP4_SSL if source.tls == "implicit" else imaplib.IMAP4
    port = source.port or (993 if source.tls == "implicit" else 143)
    with kind(source.host, port, timeout=source.timeout) as connection:
        assert isinstance(account.credentials, Password)
        connection.login(source.username, account.credentials.value)
