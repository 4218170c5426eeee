"""From what imaplib and IMAPClient raise to an error that says what it was.

They raise one type for many things, so the words that they are known to use have to be looked at;
a server's own words decide nothing here but whether its access token expired.
"""

from __future__ import annotations

import imaplib

from imapclient.exceptions import ProtocolError

from daemon.pipelines.mail import errors, replies
from daemon.pipelines.mail.errors import MailError, ServerRefused

_NOT_IMAP = (
    "unexpected response",
    "no CAPABILITY response",
    "not IMAP4 compliant",
    "got more than",
)
_GARBAGE = ("unexpected response", "unexpected tagged response", "got more than")
_LONGEST_GREETING = 100


def fault(error: Exception, refused: type[ServerRefused], notes: list[str] | None) -> Exception:
    """What went wrong: `refused` when the server said NO or BAD; the error itself if it is ours.

    `notes` are what the server said beside its answer; None while there is no connection yet.
    """
    if isinstance(error, OSError | MailError):
        return error
    if isinstance(error, imaplib.IMAP4.readonly):
        return errors.FolderReadOnly()
    if isinstance(error, ProtocolError) or not isinstance(error, imaplib.IMAP4.error):
        return errors.AnswerGarbled()
    if notes is None and _says(error, _NOT_IMAP):
        return _no_imap(error)
    if _says(error, _GARBAGE):
        return errors.OutOfStep()
    reply = replies.read(error, notes or ())
    return _lost(reply) if _is_abort(error) else _refusal(refused, reply)


def network_cause(error: BaseException | None) -> OSError | None:
    """The error of the network behind it, whose number is a fact; imaplib's own may quote mail."""
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error


def _refusal(kind: type[ServerRefused], reply: replies.Reply) -> ServerRefused:
    return kind(reply.text, imap_code=reply.code, retry_after=reply.retry_after)


def _lost(reply: replies.Reply) -> errors.ConnectionLost:
    """The end of a connection; what the server said of it may tell why."""
    expired = "AccessTokenExpired" in reply.text
    kind = errors.AccessTokenExpired if expired else errors.ConnectionLost
    return kind(
        errors.in_words(kind, replies.without_contents(reply.text)),
        imap_code=reply.code,
        retry_after=reply.retry_after,
    )


def _no_imap(error: Exception) -> errors.NotImap:
    greeting = replies.text_of(error)[:_LONGEST_GREETING]
    return errors.NotImap(errors.in_words(errors.NotImap, greeting))


def _is_abort(error: BaseException) -> bool:
    """Whether the connection ended; a `LoginError` hides that in its context."""
    return isinstance(error, imaplib.IMAP4.abort) or isinstance(
        error.__context__, imaplib.IMAP4.abort
    )


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    """Whether imaplib itself says one of these; a server's words stand in b'...'."""
    said = f"{error} {error.__context__ or ''}".partition("b'")[0]
    return any(word in said for word in words)
