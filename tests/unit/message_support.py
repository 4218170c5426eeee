"""Mail messages that are done or failed, as entries of a store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from daemon import events
from daemon.clock import Clock
from daemon.pipelines.mail.facts import MessageFacts
from daemon.pipelines.mail.known import KnownMessages
from daemon.pipelines.mail.message import Identity
from daemon.store.database import Database
from daemon.store.entries import Entry
from daemon.store.ledgers.messages.reading import Messages
from daemon.taxonomy import Category
from tests.unit.spine_support import START, assessed, failed

INBOX = "INBOX"
VALIDITY = 1700000000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def place(uid: int, gm_msgid: int | None = None, **where: object) -> Identity:
    found = {"folder": INBOX, "uidvalidity": VALIDITY} | where
    return Identity(uid=uid, gm_msgid=gm_msgid, **found)  # type: ignore[arg-type]


class RunsKnowledge:
    """What the store knows of messages, as a run is told it."""

    def __init__(self, database: Database, clock: Clock, pipeline: str = "mail") -> None:
        self._messages = Messages(database, clock, pipeline)

    def done(self, source: str, identities: Sequence[Identity]) -> set[Identity]:
        return self._known(source).done(identities)

    def set_aside(self, source: str, identities: Sequence[Identity]) -> set[Identity]:
        return self._known(source).set_aside(identities)

    def _known(self, source: str) -> KnownMessages:
        return KnownMessages(self._messages.known(source, EPOCH, None), source)


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
