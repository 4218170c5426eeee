"""What is done is found again, fast and for as long as it can come up; older stores are upgraded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from daemon.clock import FakeClock
from daemon.pipelines.mail.known import KnownMessages
from daemon.store import upkeep
from daemon.store.database import Database
from daemon.store.ledgers.messages.reading import Messages
from daemon.store.migrate import MIGRATIONS, migrate
from daemon.taxonomy import Category
from tests.unit.message_support import VALIDITY, RunsKnowledge, done, failure, place
from tests.unit.spine_support import LEDGERS, MEMORY, START, Store, store, succeeded

GMAIL_ID = 2**64 - 2  # unsigned


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path) as opened:
        yield opened


@pytest.fixture
def messages(target: Store) -> RunsKnowledge:
    return RunsKnowledge(target.database, target.clock)


@pytest.mark.requirement("S2")
def test_a_message_that_is_done_is_known_by_its_place(
    target: Store, messages: RunsKnowledge
) -> None:
    target.put(done(place(1)), done(place(3)), done(place(4), source="sales"))
    asked = [place(1), place(2), place(3), place(4), place(1, folder="Archive")]
    asked.append(place(3, uidvalidity=VALIDITY + 1))
    assert messages.done("support", asked) == {place(1), place(3)}
    assert messages.done("sales", asked) == {place(4)}
    assert messages.done("support", []) == set()


@pytest.mark.requirement("S2")
def test_on_gmail_a_message_is_known_by_its_id_in_every_folder(
    target: Store, messages: RunsKnowledge
) -> None:
    target.put(done(place(1, GMAIL_ID)))
    moved = place(77, GMAIL_ID, folder="[Gmail]/All Mail", uidvalidity=5)
    assert messages.done("support", [moved, place(78, GMAIL_ID - 1)]) == {moved}
    assert messages.done("support", [place(1), place(2)]) == {place(1)}
    assert messages.done("sales", [moved]) == set()


@pytest.mark.requirement("F6")
def test_nothing_of_what_a_message_says_is_stored(target: Store) -> None:
    target.put(done(place(1)))
    columns = [row[0] for row in target.database.read().rows("DESCRIBE messages")]
    assert columns == [
        "pipeline",
        "source",
        "folder",
        "uidvalidity",
        "uid",
        "gm_msgid",
        "received",
        "category",
        "rule",
        "label",
        "run_id",
        "done_at",
    ]


@pytest.mark.requirement("F5")
def test_a_message_that_failed_is_set_aside_till_another_attempt_may_help(tmp_path: Path) -> None:
    clock = FakeClock(START)
    with store(tmp_path, clock) as target:
        messages = RunsKnowledge(target.database, clock)
        target.put(failure(1, Category.VALIDATION), failure(2, Category.RATE_LIMIT))
        asked = [place(1), place(2), place(3)]
        assert messages.set_aside("support", asked) == {place(1), place(2)}
        assert messages.set_aside("sales", asked) == set()
        clock.advance(61)
        assert messages.set_aside("support", asked) == {place(1)}
        target.put(failure(2, Category.RATE_LIMIT, "later"))
        clock.advance(61)
        assert messages.set_aside("support", asked) == {place(1)}


def test_a_message_that_succeeded_after_all_is_not_set_aside(
    target: Store, messages: RunsKnowledge
) -> None:
    target.put(failure(1, Category.VALIDATION, "before"), done(place(1)))
    assert messages.set_aside("support", [place(1)]) == set()


@pytest.mark.requirement("S2")
def test_messages_are_forgotten_with_the_rest_unless_they_come_up_again(target: Store) -> None:
    now = START + timedelta(days=100)
    old, recent, future = place(1), place(2), place(3)
    target.put(
        done(old),
        done(recent, at=now - timedelta(days=1)),
        done(future, received=now + timedelta(days=1)),
    )
    upkeep.expire(target.database.writer, LEDGERS, now, timedelta(days=90))
    messages = RunsKnowledge(target.database, target.clock)
    assert messages.done("support", [old, recent, future]) == {recent, future}


def test_a_chunk_is_looked_up_among_many_messages_one_by_one(target: Store) -> None:
    """Every account has the same UIDs; only the account's own count."""
    target.database.writer.execute(
        "INSERT INTO messages SELECT 'mail', 'account' || (i % 50), 'INBOX', 1, i // 50, NULL, "
        "now()::TIMESTAMP, 'a', 'b', 'c', 'run', now()::TIMESTAMP FROM range(50000) t(i)"
    )
    messages = RunsKnowledge(target.database, target.clock)
    asked = [place(uid, uidvalidity=1) for uid in range(900, 1100)]
    assert messages.done("account7", asked) == set(asked[:100])


def test_a_store_of_version_5_is_upgraded_and_keeps_what_it_holds(tmp_path: Path) -> None:
    older = tmp_path / "migrations"
    older.mkdir()
    for step in sorted(MIGRATIONS.iterdir(), key=lambda f: f.name):
        if step.name < "0006":
            shutil.copy(str(step), older / step.name)
    path = tmp_path / "store.duckdb"
    with duckdb.connect(str(path)) as connection:
        assert migrate(connection, older) == 5
        connection.execute("INSERT INTO paused_pipelines VALUES ('ingest', now()::TIMESTAMP)")
    database = Database(path, memory_limit=MEMORY)
    try:
        assert database.read().rows("SELECT pipeline FROM paused_pipelines") == [("ingest",)]
        assert RunsKnowledge(database, FakeClock(START)).done("support", [place(1)]) == set()
    finally:
        database.close()


@pytest.mark.requirement("S2")
def test_a_run_is_told_of_the_window_that_its_account_looks_at_and_of_what_is_wanted(
    target: Store,
) -> None:
    old, wanted, by_id, recent = place(1), place(2), place(3, GMAIL_ID), place(4)
    long_ago = START - timedelta(days=30)
    target.put(*(done(m, received=long_ago) for m in (old, wanted, by_id)), done(recent))
    messages = Messages(target.database, target.clock)
    since = START - timedelta(days=1)
    asked = [old, wanted, by_id, recent]
    for items, told in (
        (None, {recent}),
        (frozenset({wanted.item, by_id.item}), {wanted, by_id, recent}),
    ):
        known = KnownMessages(messages.known("support", since, items), "support")
        assert known.done(asked) == told


def test_a_success_without_a_message_leaves_the_index_alone(target: Store) -> None:
    target.put(succeeded("run", "a"))
    assert target.database.read().rows("SELECT count(*) FROM messages") == [(0,)]
