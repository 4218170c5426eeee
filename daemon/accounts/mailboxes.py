"""At the start: a mail account that was turned to another mailbox begins anew."""

from __future__ import annotations

import logging

from daemon.accounts.accounts import Accounts
from daemon.pipelines.mail.config import PIPELINE
from daemon.store.database import Database
from daemon.store.ledgers.messages import mailboxes

log = logging.getLogger("triaged.accounts")


def follow_mailboxes(accounts: Accounts, database: Database) -> None:
    """Forgets what was done under a name that stands for another mailbox now. Before the writer starts."""
    present = accounts.mailboxes()
    with database.writing() as connection:
        forgotten = mailboxes.follow(connection, PIPELINE, present)
    for source, messages in forgotten.items():
        log.info(
            "a mail account is another mailbox now; what was done in the one before is forgotten",
            extra={
                "event": "mailbox_changed",
                "pipeline": PIPELINE,
                "source": source,
                "messages": messages,
            },
        )
