"""What the mail pipeline says of a message, for the ledger of messages."""

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
