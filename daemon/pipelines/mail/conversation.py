"""Asking the server: one command after the other, until something goes wrong."""

from __future__ import annotations

import imaplib
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from daemon.pipelines.mail import errors
from daemon.pipelines.mail.config import MailSource
from daemon.pipelines.mail.connect import Connection
from daemon.pipelines.mail.errors import MailError, ServerRefused
from daemon.pipelines.mail.faults import fault, network_cause
from daemon.pipelines.mail.watchdog import Watchdog

T = TypeVar("T")
GOODBYE = 2.0
"""Seconds that the server has to answer LOGOUT."""


class ImapConversation:
    """One connection to a server, and the errors on it.

    After an error other than `ServerRefused` and `AnswerGarbled` it can only be closed.
    """

    def __init__(self, source: MailSource, watchdog: Watchdog) -> None:
        """Connects, reads the greeting, and encrypts as the account says."""
        self._watchdog = watchdog
        self._in_order = True
        self._connection: Connection | None = None
        try:
            self._connection = self.ask(
                errors.GreetingRefused, lambda: Connection(source, watchdog)
            )
            if source.tls == "starttls":
                self._encrypt()
        except BaseException:
            self.close()
            raise

    @property
    def connection(self) -> Connection:
        assert self._connection is not None
        return self._connection

    def ask(self, refused: type[ServerRefused], command: Callable[[], T]) -> T:
        """The answer to a command. Raises `refused` when the server says NO or BAD."""
        self._watchdog.check()
        try:
            return command()
        except (imaplib.IMAP4.error, MailError, OSError, ValueError, KeyError) as error:
            self._in_order = False
            self._watchdog.check(network_cause(error))
            notes = self._connection.notes() if self._connection else None
            problem = fault(error, refused, notes)
            self._in_order = isinstance(problem, ServerRefused | errors.AnswerGarbled)
            if problem is error:
                raise
            raise problem from network_cause(error)

    def close(self) -> None:
        """Says goodbye, if there is still somebody to say it to, and closes. Again is free."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                if self._in_order:
                    connection.socket().settimeout(GOODBYE)
                    connection.logout()
            with suppress(Exception):
                connection.shutdown()
        self._watchdog.release()

    def _encrypt(self) -> None:
        """Changes over to TLS, or raises: nothing secret is ever sent without it."""
        connection = self.connection
        offered = self.ask(errors.EncryptionRefused, connection.capabilities)
        if b"STARTTLS" not in offered:
            raise errors.EncryptionNotOffered
        context = connection.ssl_context
        self.ask(errors.EncryptionRefused, lambda: connection.starttls(context))
