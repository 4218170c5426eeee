"""Connecting to an IMAP server: TCP, then TLS as the account says, under the eyes of a watchdog."""

from __future__ import annotations

import imaplib
import logging
import re
import socket
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

from imapclient import IMAPClient

from daemon.durable import open_regular
from daemon.pipelines.mail.config import MailSource
from daemon.pipelines.mail.errors import AnswerTooLong, SettingMistaken
from daemon.pipelines.mail.replies import notes_of
from daemon.pipelines.mail.watchdog import Watchdog

IMPLICIT_TLS_PORT, PORT = 993, 143
MOST_BYTES = 80_000_000
"""Of the answer to one command: the largest chunk of messages with the longest headers, and some more."""
_LINE_BYTES = 64
"""That a line takes in memory beside its text."""
_NAME = re.compile(rb"\A\* (?:\d+ )?[A-Za-z-]+")
# imaplib takes no line of more than a million bytes; that is a SEARCH which lists 130,000 messages.
imaplib._MAXLINE = MOST_BYTES  # type: ignore[attr-defined]  # noqa: SLF001

logging.getLogger("imapclient").setLevel(logging.WARNING)  # below that it names who logs in


class Connection(IMAPClient):  # type: ignore[misc]  # it has no types
    """One connection to an IMAP server. Not thread-safe; of no use any more after an `OSError`."""

    def __init__(self, source: MailSource, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        implicit = source.tls == "implicit"
        super().__init__(
            source.host,
            source.port or (IMPLICIT_TLS_PORT if implicit else PORT),
            ssl=implicit,
            ssl_context=tls_context(source),
            timeout=min(source.timeout, watchdog.remaining) or source.timeout,
        )
        self.normalise_times = False
        # Neither IMAPClient nor imaplib is to write down what passes: it holds passwords and mail.
        self._imap.debug = 0

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802 - IMAPClient's name for it
        context = self.ssl_context if self.ssl else None
        return _Guarded(self.host, self.port, self._timeout.connect, context, self._watchdog)

    def uid(self, command: str, *arguments: str) -> list[Any]:
        """What the server says of messages in answer to a command on UIDs, as imaplib collects it."""
        kind, said = self._imap.uid(command, *arguments)
        self._checkok(command.lower(), kind, said)
        return list(said)

    def uid_search(self, criteria: str) -> tuple[list[bytes], list[bytes]]:
        """The lines that the server answers a search with: SEARCH and, as IMAP4rev2 has it, ESEARCH."""
        lines = [line for line in self.uid("SEARCH", criteria) if line]
        return lines, list(self._imap.untagged_responses.pop("ESEARCH", ()))

    def notes(self) -> list[str]:
        """What the server noted beside its answer to the latest command."""
        return notes_of(self._imap.untagged_responses)

    def is_logged_in(self) -> bool:
        """Whether the server lets this client in without a login (PREAUTH)."""
        return bool(self._imap.state == "AUTH")


class _Guarded(imaplib.IMAP4):
    """imaplib's client whose socket a watchdog may shut down from the first moment on."""

    def __init__(
        self,
        host: str,
        port: int,
        timeout: float,
        context: ssl.SSLContext | None,
        watchdog: Watchdog,
    ) -> None:
        self._context = context
        self._watchdog = watchdog
        self._received = 0
        super().__init__(host, port, timeout)

    def _get_capabilities(self) -> None:
        """imaplib does not know the newer revision, and turns servers away that speak this one only (RFC 9051)."""
        super()._get_capabilities()  # type: ignore[misc]  # imaplib's own
        if "IMAP4REV2" in self.capabilities:
            self.capabilities = (*self.capabilities, "IMAP4REV1")

    def _new_tag(self) -> bytes:
        """A new command begins. What an earlier one that failed was told of messages is no answer to it."""
        self._received = 0
        for kind in ("FETCH", "SEARCH", "ESEARCH"):
            self.untagged_responses.pop(kind, None)
        return super()._new_tag()  # type: ignore[misc,no-any-return]  # imaplib's own

    def _get_line(self) -> bytes:
        """Servers may name their answers in small letters; imaplib looks for capitals."""
        line: bytes = super()._get_line()  # type: ignore[misc]  # imaplib's own
        return _NAME.sub(lambda match: match[0].upper(), line, count=1)

    def read(self, size: int) -> bytes:
        """A literal. Counted before it comes: the server says how long it is."""
        self._count(size)
        return super().read(size)

    def readline(self) -> bytes:
        """A line, which imaplib bounds by itself, but not how many come."""
        line = super().readline()
        self._count(len(line) + _LINE_BYTES)
        return line

    def _count(self, size: int) -> None:
        """imaplib keeps whatever a server sends till the end of the command: nobody may fill the memory."""
        self._received += size
        if self._received > MOST_BYTES:
            raise AnswerTooLong

    def _create_socket(self, timeout: float | None) -> socket.socket:
        try:
            connection = socket.create_connection((self.host, self.port), timeout)
        except UnicodeError:
            raise SettingMistaken("host of the mail account is not a valid name") from None
        try:
            self._watchdog.guard(connection)
            if self._context is None:
                return connection
            return self._context.wrap_socket(connection, server_hostname=self.host)
        except BaseException:
            connection.close()
            raise


def tls_context(source: MailSource) -> ssl.SSLContext | None:
    """What the account's server is checked with; None without TLS.

    Raises `SettingMistaken` when the account's certificate authorities cannot be read.
    """
    if source.tls == "none":
        return None
    if source.ca_file is None:
        return _context(None, 0)
    try:
        return _context(source.ca_file, Path(source.ca_file).stat().st_mtime_ns)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingMistaken(f"ca_file of the mail account cannot be used: {reason}") from error


@lru_cache(maxsize=16)
def _context(ca_file: str | None, changed: int) -> ssl.SSLContext:  # noqa: ARG001 - part of the key
    """Shared by accounts and runs: reading the system's authorities takes as long as a login."""
    if ca_file is None:
        return ssl.create_default_context()
    with open_regular(Path(ca_file)) as file:
        return ssl.create_default_context(cafile=f"/proc/self/fd/{file.fileno()}")
