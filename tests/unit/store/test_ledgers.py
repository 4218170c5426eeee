"""What is recorded goes into a ledger or is refused: nothing unknown is ever acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon import events
from daemon.errors import UnknownEvent
from daemon.pipelines.ingest.facts import FileFacts, FilesMarked
from daemon.pipelines.mail.facts import (
    AccountRemoved,
    AccountSaved,
    MailboxReach,
    MessageFacts,
    RefreshTokenRenewed,
)
from daemon.store.entries import Entry
from daemon.store.ledger import Ledger, LedgerBatch, Ledgers
from daemon.store.ledgers.files.reading import Files
from daemon.store.ledgers.messages.reading import Messages
from daemon.taxonomy import FileStatus
from tests.unit.spine_support import (
    LEDGERS,
    PATIENCE,
    START,
    decided,
    facts,
    failed,
    store,
    succeeded,
)

MESSAGE = MessageFacts(
    folder="INBOX",
    uidvalidity=1,
    uid=2,
    gm_msgid=2**64 - 1,
    received=START,
    category="newsletter",
    rule="own",
    label=None,
)
SAVED = AccountSaved(
    by="ann", name="ann", settings="{}", mailbox="m", sealed=b"", version=1, changed=()
)
ITEMS: dict[type[events.Facts], events.Facts] = {FileFacts: facts("a.csv"), MessageFacts: MESSAGE}
RUNS: dict[type[events.Facts], events.Facts] = {
    MailboxReach: MailboxReach(folder="INBOX", mailbox="m", until=START)
}
CHANGES: dict[type[events.Facts], events.Facts] = {
    FilesMarked: FilesMarked(
        pipeline="ingest", source="orders", paths=("a.csv",), status=FileStatus.IGNORED
    ),
    AccountSaved: SAVED,
    AccountRemoved: AccountRemoved(by="ann", name="ann"),
    RefreshTokenRenewed: RefreshTokenRenewed(token_id="t", source="ann", sealed=b""),
}


class Rumour(events.RunEvent, frozen=True, kw_only=True, tag="rumour"):
    """An event that nobody knows."""


class Gossip(events.Facts, frozen=True, kw_only=True, tag="gossip"):
    """Facts that no ledger takes."""


def noted(carried: events.Facts) -> Entry:
    return Entry(
        events.RunNoted(at=START, run_id="run", pipeline="mail", source="ann", facts=carried)
    )


def of_item(kind: Callable[..., Entry], carried: events.Facts) -> Entry:
    return kind("run", "a.csv", facts=carried)


@pytest.mark.parametrize("kind", LEDGERS.facts)
def test_every_ledger_takes_what_it_says_that_it_takes(tmp_path: Path, kind: type[Any]) -> None:
    with store(tmp_path) as target:
        if kind in ITEMS:
            target.put(of_item(succeeded, ITEMS[kind]), of_item(failed, ITEMS[kind]))
        elif kind in RUNS:
            target.put(noted(RUNS[kind]))
        else:
            target.put(decided(CHANGES[kind]))
        assert target.writer.errors == 0


UNKNOWN = [
    pytest.param(
        Entry(Rumour(at=START, run_id="run", pipeline="own", source="own")),  # type: ignore[arg-type]
        id="an event",
    ),
    pytest.param(of_item(succeeded, Gossip()), id="facts of a success"),
    pytest.param(of_item(failed, Gossip()), id="facts of a failure"),
    pytest.param(decided(Gossip()), id="facts of a decision"),
    pytest.param(of_item(succeeded, SAVED), id="a decision about an item"),
    pytest.param(decided(MESSAGE), id="an item as a decision"),
    pytest.param(noted(MESSAGE), id="an item as what a run says of itself"),
]


@pytest.mark.requirement("X3")
@pytest.mark.parametrize("entry", UNKNOWN)
def test_what_nobody_knows_is_refused_before_it_is_queued_and_never_acknowledged(
    tmp_path: Path, entry: Entry, caplog: pytest.LogCaptureFixture
) -> None:
    with store(tmp_path) as target:
        target.put(succeeded("run", "before"))
        with pytest.raises(UnknownEvent):
            target.writer.put(entry)
        assert (target.writer.errors, target.writer.pending) == (1, 0)
        assert [r.refused for r in caplog.records if hasattr(r, "refused")] == [
            type(entry.event).__name__
        ]
        target.put(succeeded("run", "after"))
        assert [event.item for event in target.events()] == ["before", "after"]  # type: ignore[union-attr]


def test_a_run_is_told_at_once_that_its_facts_have_no_place(tmp_path: Path) -> None:
    with store(tmp_path) as target:
        run = target.run()
        with pytest.raises(UnknownEvent, match="no ledger takes Gossip of ItemSucceeded"):
            run.succeed("a", facts=Gossip())
        with pytest.raises(UnknownEvent, match="no ledger takes Gossip of ItemFailed"):
            run.fail("a", "it broke", facts=Gossip())
        assert target.writer.flush(PATIENCE)
        assert target.database.read().rows("SELECT item FROM failures") == []


def test_every_kind_of_pipeline_gets_the_readers_of_its_ledgers_as_ports(tmp_path: Path) -> None:
    with store(tmp_path) as target:
        ports = LEDGERS.readers(target.database, target.clock)
        assert {name: type(reader) for name, reader in ports.items()} == {
            "files": Files,
            "messages": Messages,
        }


def test_two_ledgers_never_take_the_same() -> None:
    one, other = (
        Ledger(name=name, batch=LedgerBatch, of_items=(Gossip,)) for name in ("one", "other")
    )
    with pytest.raises(AssertionError, match="two ledgers"):
        Ledgers([one, other])
