"""What can go wrong between a mail account and its server, in one tree.

MailError
├── ServerRefused            the server answered NO or BAD; which command it was tells the class
│   ├── GreetingRefused      it said goodbye in place of a greeting
│   ├── EncryptionRefused    STARTTLS
│   ├── LoginRefused         LOGIN, AUTHENTICATE
│   │   └── TokenLoginRefused  an access token that the server does not take
│   ├── FolderRefused        SELECT, EXAMINE
│   ├── ReadRefused          SEARCH, FETCH
│   ├── LabelRefused         STORE
│   └── MessageRefused       FETCH or STORE of one message, while others are to be had
├── ConnectionLost           the connection ended in the middle of the conversation
│   ├── AccessTokenExpired   because the token it was opened with ran out
│   ├── OutOfStep            the server sent what is no IMAP
│   ├── AnswerTooLong        it sent more than any answer has
│   └── FolderRenumbered     UIDs are not what they were before a reconnect
├── NotImap                  what answers at this address is no IMAP server
├── DeadlinePassed           the run took longer than the account's deadline; a `TimeoutError` too
├── RunCancelled             the run was cancelled meanwhile
├── SettingMistaken          the account's settings cannot work
│   ├── EncryptionNotOffered   STARTTLS is asked for, the server has none
│   ├── EncryptionNeeded       the server takes no password without encryption
│   ├── LoginNotOffered        the server lacks the way of logging in
│   └── LabelsNotOffered       Gmail's labels are asked for, the server has none
├── FolderReadOnly           the folder cannot be written
├── KeywordsNotAllowed       the folder takes no new keywords
├── LabelNotConfirmed        the server said OK, but the message does not have the label
├── AnswerGarbled            an answer that cannot be taken apart; the connection goes on
│   └── MessageUnreadable      the description of one message
├── MessagesMissed           nobody looked at the messages of some time
├── MessageLeftOut           the server lists a message, and leaves it or its headers out of the answer
├── MessageBreaksConnection  the connection broke each time that one message was asked for
├── HeadersTooLong           what decides about a message may lie beyond what is read of its headers
└── TokenRefused             the token endpoint gives no access token

Errors of the network and of TLS (`OSError`) pass as they are: their types and numbers are facts.
None of these holds what a message says: neither headers nor flags.
"""

from __future__ import annotations

from daemon.errors import TriagedError


class MailError(TriagedError):
    """The mail account could not be processed.

    `imap_code` is the response code of RFC 5530 or 9051 that the server sent, `retry_after` the
    seconds that it asked to wait; triage looks for both.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        imap_code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])
        self.imap_code = imap_code
        self.retry_after = retry_after


_OF_THE_ACCOUNT = {
    "OVERQUOTA", "LIMIT", "THROTTLED", "INUSE", "NOPERM", "AUTHORIZATIONFAILED", "CONTACTADMIN",
}  # fmt: skip


class ServerRefused(MailError):
    """The mail server refused a command."""

    @property
    def concerns_account(self) -> bool:
        """Whether it would refuse the command for any message of the account."""
        return self.imap_code in _OF_THE_ACCOUNT or self.retry_after is not None


class GreetingRefused(ServerRefused):
    """The mail server said goodbye in place of a greeting."""


class EncryptionRefused(ServerRefused):
    """The mail server refused STARTTLS."""


class LoginRefused(ServerRefused):
    """The mail server refused the login."""


class TokenLoginRefused(LoginRefused):
    """The mail server refused the access token."""


class FolderRefused(ServerRefused):
    """The mail server refused to open the folder."""


class ReadRefused(ServerRefused):
    """The mail server refused to search or to fetch."""


class LabelRefused(ServerRefused):
    """The mail server refused to write a label or keyword."""


class MessageRefused(ServerRefused):
    """The mail server refuses what is asked of this message."""


class ConnectionLost(MailError):
    """The mail server closed the connection."""


class AccessTokenExpired(ConnectionLost):
    """The mail server ended the session because its access token expired."""


class OutOfStep(ConnectionLost):
    """The mail server sent something that is not IMAP, so the connection was given up."""


class AnswerTooLong(ConnectionLost):
    """The mail server sent more than 80 MB in answer to one command, so the connection was given up."""


class FolderRenumbered(ConnectionLost):
    """The folder's messages were numbered anew in the middle of the run."""


class NotImap(MailError):
    """What answers at this host and port is not an IMAP server."""


class DeadlinePassed(MailError, TimeoutError):
    """The deadline of the account passed before its run was done."""


class RunCancelled(MailError):
    """The run was cancelled."""


class SettingMistaken(MailError):
    """A setting of the mail account cannot work with this server."""


class EncryptionNotOffered(SettingMistaken):
    """The mail server does not offer STARTTLS on this port."""


class EncryptionNeeded(SettingMistaken):
    """The mail server takes no password over a connection that is not encrypted."""

    def __init__(self) -> None:
        super().__init__(imap_code="LOGINDISABLED")


class LoginNotOffered(SettingMistaken):
    """The mail server does not offer this way of logging in."""


class LabelsNotOffered(SettingMistaken):
    """The mail server does not offer Gmail's labels (X-GM-EXT-1)."""


class FolderReadOnly(MailError):
    """The mailbox is read-only for this login: labels and keywords cannot be written."""

    def __init__(self) -> None:
        super().__init__(imap_code="READ-ONLY")


class KeywordsNotAllowed(MailError):
    """The folder takes no new keywords: PERMANENTFLAGS does not allow them."""


class LabelNotConfirmed(MailError):
    """The mail server said OK, but the message does not have the label."""


class AnswerGarbled(MailError):
    """An answer of the mail server cannot be taken apart."""


class MessageUnreadable(AnswerGarbled):
    """The mail server's description of the message cannot be taken apart."""


class MessagesMissed(MailError):
    """The messages of some time were not looked at."""


class MessageLeftOut(MailError):
    """The mail server lists the message, but leaves it out of its answer."""


class MessageBreaksConnection(MailError):
    """The connection to the mail server breaks each time this message is asked for."""


class HeadersTooLong(MailError):
    """The message has more than 64 KB of headers, and what decides about it may lie beyond."""


class TokenRefused(MailError):
    """The token endpoint gives no access token.

    `status_code` and `error_code` are those of its answer: HTTP status, OAuth 2.0 error (RFC 6749).
    """

    def __init__(
        self, message: str, *, status_code: int, error_code: str | None, retry_after: float | None
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status_code = status_code
        self.error_code = error_code


def in_words(error: type[MailError], text: str) -> str:
    """What happened, followed by what the server says of it."""
    happened = (error.__doc__ or "").partition("\n")[0].rstrip(".")
    return f"{happened}: {text}" if text else f"{happened}."
