"""What the ledgers of messages and of mail accounts take."""

from __future__ import annotations

from datetime import datetime

from daemon.events import Facts


class MessageFacts(Facts, frozen=True, kw_only=True, tag="message"):
    """A mail message that is done, and what was decided about it; nothing of what it says."""

    folder: str
    uidvalidity: int
    uid: int
    gm_msgid: int | None
    """Gmail's id of the message."""
    received: datetime
    category: str
    rule: str
    """What decided: a rule's name, or ``own``, ``model`` or ``fallback``."""
    label: str | None
    """Label or keyword that the server confirmed; None when none was to be written."""
    mailbox: str | None = None
    """Stands for the mailbox that it is in, as in `AccountSaved`; None where that is not known."""


class MailboxReach(Facts, frozen=True, kw_only=True, tag="mailbox_reach"):
    """How far a folder was looked through."""

    folder: str
    mailbox: str
    """As in `AccountSaved`."""
    until: datetime
    """What was received before is done, or has a failure of its own, or is of no concern."""


class AccountFacts(Facts, frozen=True, kw_only=True):
    """A person changed a mail account."""

    by: str
    """Name of the API key, or ``local`` without keys."""
    name: str


class AccountSaved(AccountFacts, frozen=True, kw_only=True, tag="account_saved"):
    """An account was made, or replaced."""

    settings: str
    """A `MailSource` as JSON; it holds no secret."""
    mailbox: str
    """Stands for the mailbox behind it: another server or user has another."""
    sealed: bytes
    """The secret, encrypted."""
    version: int
    """1 for a new account; one more with every change."""
    changed: tuple[str, ...]
    """Names of the settings that changed, for the audit trail; ``secret`` if that was given."""


class RefreshTokenRenewed(Facts, frozen=True, kw_only=True, tag="refresh_token_renewed"):
    """A token endpoint handed out a refresh token in place of the one that an account has."""

    token_id: str
    """Stands for the token that the account was given."""
    source: str
    sealed: bytes
    """The new one, encrypted."""


class AccountRemoved(AccountFacts, frozen=True, kw_only=True, tag="account_removed"):
    """An account was removed."""
