"""Mail messages that are done or failed, as entries of a store."""

from __future__ import annotations

from datetime import datetime

from daemon import events
from daemon.pipelines.mail.facts import MessageFacts
from daemon.pipelines.mail.message import Identity
from daemon.store.entries import Entry
from daemon.taxonomy import Category
from tests.unit.spine_support import START, assessed, failed

INBOX = "INBOX"
VALIDITY = 1700000000


def place(uid: int, gm_msgid: int | None = None, **where: object) -> Identity:
    found = {"folder": INBOX, "uidvalidity": VALIDITY} | where
    return Identity(uid=uid, gm_msgid=gm_msgid, **found)  # type: ignore[arg-type]


def done(
    identity: Identity,
    at: datetime = START,
    received: datetime = START,
    source: str = "support",
    pipeline: str = "mail",
    run: str = "run",
    mailbox: str | None = None,
) -> Entry:
    facts = MessageFacts(
        folder=identity.folder,
        uidvalidity=identity.uidvalidity,
        uid=identity.uid,
        gm_msgid=identity.gm_msgid,
        received=received,
        category="newsletter",
        rule="list_id",
        label="newsletter",
        mailbox=mailbox,
    )
    return Entry(
        events.ItemSucceeded(
            at=at,
            run_id=run,
            pipeline=pipeline,
            source=source,
            item=identity.item,
            facts=facts,
        )
    )


def failure(uid: int, category: Category, run: str = "run") -> Entry:
    assessment = assessed(category=category)
    return failed(run, place(uid).item, source="support", pipeline="mail", assessment=assessment)
