"""How mail messages are stored that are done: where they are, what was decided, nothing of what they say."""

from __future__ import annotations

from datetime import datetime

import duckdb

from daemon.events import Facts, ItemSucceeded, RunNoted
from daemon.pipelines.mail.facts import MailboxReach, MessageFacts
from daemon.store.ledger import FailureRows, Ledger, LedgerBatch, Outcome
from daemon.store.ledgers.messages import SQL, mailboxes
from daemon.store.ledgers.messages.reading import Messages
from daemon.store.records import stored
from daemon.store.rows import Row, UInt64
from daemon.store.tables import Tables


class MessageRow(Row, frozen=True, kw_only=True):
    """A message that is done."""

    pipeline: str
    source: str
    folder: str
    uidvalidity: int
    uid: int
    gm_msgid: UInt64 | None
    received: datetime
    category: str
    rule: str
    label: str | None
    run_id: str
    done_at: datetime


class MessagesBatch(LedgerBatch):
    """The messages that are done in one batch, each with the mailbox that it is in, and what was looked through."""

    def __init__(self) -> None:
        self._done: list[tuple[str | None, MessageRow]] = []
        self._reaches: list[tuple[MailboxReach, RunNoted]] = []

    def add(self, facts: Facts, outcome: Outcome) -> None:
        """A message that failed is not done: its failure says all that there is to say."""
        assert isinstance(facts, MessageFacts)
        if isinstance(outcome, ItemSucceeded):
            self._done.append((facts.mailbox, _row(facts, outcome)))

    def note(self, facts: Facts, event: RunNoted) -> None:
        assert isinstance(facts, MailboxReach)
        self._reaches.append((facts, event))

    def write(self, tables: Tables, failure_rows: FailureRows) -> None:  # noqa: ARG002
        """But for a run under way in a mailbox that its account does not stand for any more."""
        pipelines = {row.pipeline for _, row in self._done}
        present = {p: mailboxes.known(tables.connection, p) for p in pipelines}
        rows = [
            row
            for mailbox, row in self._done
            if mailbox is None or mailbox == present[row.pipeline].get(row.source, mailbox)
        ]
        tables.insert("messages", rows)
        for reach, event in self._reaches:
            place = [event.pipeline, event.source, reach.mailbox]
            tables.execute(SQL["set_mailbox_reach"], [reach.folder, stored(reach.until), *place])


def _row(facts: MessageFacts, event: ItemSucceeded) -> MessageRow:
    return MessageRow(
        pipeline=event.pipeline,
        source=event.source,
        folder=facts.folder,
        uidvalidity=facts.uidvalidity,
        uid=facts.uid,
        gm_msgid=facts.gm_msgid,
        received=facts.received,
        category=facts.category,
        rule=facts.rule,
        label=facts.label,
        run_id=event.run_id,
        done_at=event.at,
    )


def _forget_before(connection: duckdb.DuckDBPyConnection, start: datetime) -> None:
    connection.execute(SQL["expire_messages"], [start])


MESSAGES = Ledger(
    name="messages",
    batch=MessagesBatch,
    of_items=(MessageFacts,),
    of_runs=(MailboxReach,),
    forget_before=_forget_before,
    reader=Messages,
)
