"""A name that stands for another mailbox begins anew; the same mailbox goes on, wherever it was meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.clock import FakeClock
from daemon.item_key import item_key
from daemon.pipelines.mail.config import MailSource
from daemon.pipelines.mail.configured import mailbox_of
from daemon.pipelines.mail.facts import AccountRemoved, AccountSaved
from daemon.pipelines.mail.retry import plan_messages
from daemon.pipelines.retry_plan import Chosen
from daemon.store.database import Database
from daemon.store.entries import Entry
from daemon.store.filters import FailureFilter
from daemon.store.ledgers.messages import mailboxes
from daemon.store.migrate import MIGRATIONS, migrate
from daemon.taxonomy import Category
from tests.unit.message_support import RunsKnowledge, done, failure, place
from tests.unit.spine_support import MEMORY, START, Store, decided, ended, failed, store

SOURCE = MailSource(host="imap.example.com", username="ann@example.com")


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path) as opened:
        yield opened


@pytest.fixture
def messages(target: Store) -> RunsKnowledge:
    return RunsKnowledge(target.database, target.clock)


def follow(target: Store, **present: str) -> dict[str, int]:
    """What a start makes of the mailboxes that the sources stand for; nothing else is written meanwhile."""
    return mailboxes.follow(target.database.writer, "mail", present)


# --- which mailbox it is -----------------------------------------------------------------------


@pytest.mark.requirement("S2")
@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"port": 143, "tls": "starttls"}, True),
        ({"folder": "Archive", "hours": 48, "label_as": "keywords", "dry_run": True}, True),
        ({"password_env": "PW", "email_address": "other@example.com", "enabled": False}, True),
        ({"host": "IMAP.Example.COM"}, True),
        ({"host": "imap.example.org"}, False),
        ({"username": "bob@example.com"}, False),
        ({"username": "Ann@example.com"}, False),
    ],
)
def test_another_server_or_user_is_another_mailbox_and_nothing_else_is(
    changes: dict[str, object], same: bool
) -> None:
    changed = msgspec.structs.replace(SOURCE, **changes)
    assert (mailbox_of("support", changed) == mailbox_of("support", SOURCE)) is same


@pytest.mark.requirement("F6")
@given(host=st.from_regex(r"[A-Za-z0-9._:-]{1,40}", fullmatch=True), user=st.text(min_size=1))
def test_a_mailbox_is_known_by_16_hex_digits_that_no_other_account_has(
    host: str, user: str
) -> None:
    source = MailSource(host=host, username=user)
    found = mailbox_of("support", source)
    assert len(found) == 16
    assert set(found) <= set("0123456789abcdef")
    assert found != mailbox_of("sales", source)


# --- at the start ------------------------------------------------------------------------------


@pytest.mark.requirement("S2")
def test_another_mailbox_begins_anew_and_others_go_on(
    target: Store, messages: RunsKnowledge
) -> None:
    """Also those of another pipeline with a source of the same name."""
    assert follow(target, support="first", sales="second") == {}
    target.put(done(place(1)), done(place(2)), done(place(1), source="sales"))
    target.put(done(place(1), pipeline="archive"))
    assert follow(target, support="third", sales="second") == {"support": 2}
    assert messages.done("support", [place(1), place(2)]) == set()
    assert messages.done("sales", [place(1)]) == {place(1)}
    archive = RunsKnowledge(target.database, target.clock, "archive")
    assert archive.done("support", [place(1)]) == {place(1)}
    target.put(done(place(1)))
    assert follow(target, support="third", sales="second") == {}
    assert messages.done("support", [place(1)]) == {place(1)}


@pytest.mark.requirement("S2")
def test_a_source_that_comes_back_goes_on_unless_it_is_another_mailbox(
    target: Store, messages: RunsKnowledge
) -> None:
    follow(target, support="first")
    target.put(done(place(1)))
    assert follow(target) == {}
    assert follow(target, support="first") == {}
    assert messages.done("support", [place(1)]) == {place(1)}
    assert follow(target) == {}
    assert follow(target, support="second") == {"support": 1}
    assert messages.done("support", [place(1)]) == set()


@pytest.mark.requirement("S2", "X3")
def test_what_is_forgotten_and_why_are_on_disk_together_or_not_at_all(
    target: Store, messages: RunsKnowledge
) -> None:
    """A source without a mailbox cannot be stored, which ends the transaction after the first was forgotten."""
    follow(target, support="first", sales="second")
    target.put(done(place(1)))
    with pytest.raises(duckdb.ConstraintException):
        mailboxes.follow(
            target.database.writer,
            "mail",
            {"support": "third", "sales": None},  # type: ignore[dict-item]
        )
    assert messages.done("support", [place(1)]) == {place(1)}
    assert follow(target, support="third", sales="second") == {"support": 1}
    assert messages.done("support", [place(1)]) == set()


@pytest.mark.requirement("S2", "F5")
def test_failures_of_the_mailbox_before_stay_and_hold_no_message_of_this_one(
    target: Store, messages: RunsKnowledge
) -> None:
    follow(target, support="first")
    target.put(failure(1, Category.VALIDATION), failure(2, Category.RATE_LIMIT))
    assert messages.set_aside("support", [place(1), place(2)]) == {place(1), place(2)}
    follow(target, support="second")
    assert messages.set_aside("support", [place(1), place(2)]) == set()
    target.put(done(place(1), run="later"), failure(2, Category.VALIDATION, "later"))
    assert messages.set_aside("support", [place(1), place(2)]) == {place(2)}
    page = target.failures.page(FailureFilter(), 10)
    assert [(f.run_id, f.status, f.attempt) for f in page.failures] == [
        ("later", "open", 1),
        ("run", "open", 1),
        ("run", "open", 1),
    ]


@pytest.mark.requirement("S2")
def test_a_run_that_failed_is_made_good_by_one_in_the_mailbox_that_was_meant(
    target: Store,
) -> None:
    """Such as one at a server whose name was mistyped."""
    follow(target, support="mistyped")
    target.put(failed("run", None, source="support", pipeline="mail"))
    follow(target, support="right")
    target.put(ended("later", source="support", pipeline="mail"))
    assert [f.status for f in target.failures.page(FailureFilter(), 10).failures] == ["resolved"]


@pytest.mark.requirement("S2")
def test_after_an_upgrade_the_mailboxes_are_learnt_and_nothing_is_forgotten(
    tmp_path: Path,
) -> None:
    older = tmp_path / "migrations"
    older.mkdir()
    for step in MIGRATIONS.iterdir():
        if step.name < "0009":
            shutil.copy(str(step), older / step.name)
    path = tmp_path / "store.duckdb"
    with duckdb.connect(str(path)) as connection:
        assert migrate(connection, older) == 8
        connection.execute(
            "INSERT INTO messages VALUES ('mail', 'support', 'INBOX', 1700000000, 1, NULL, "
            "now()::TIMESTAMP, 'newsletter', 'list_id', 'newsletter', 'run', now()::TIMESTAMP)"
        )
    database = Database(path, memory_limit=MEMORY)
    try:
        messages = RunsKnowledge(database, FakeClock(START))
        assert mailboxes.follow(database.writer, "mail", {"support": "first"}) == {}
        assert messages.done("support", [place(1)]) == {place(1)}
        assert mailboxes.known(database.writer, "mail") == {"support": "first"}
        forgotten = mailboxes.follow(database.writer, "mail", {"support": "second"})
        assert forgotten == {"support": 1}
        assert messages.done("support", [place(1)]) == set()
    finally:
        database.close()


# --- accounts by API ---------------------------------------------------------------------------


def save(mailbox: str, *changed: str, version: int = 2) -> Entry:
    saved = AccountSaved(
        by="ann",
        name="support",
        settings="{}",
        mailbox=mailbox,
        sealed=b"sealed",
        version=version,
        changed=changed,
    )
    return decided(saved)


def remove() -> Entry:
    return decided(AccountRemoved(by="ann", name="support"))


@pytest.mark.requirement("S2", "S10")
def test_an_account_that_is_turned_to_another_mailbox_begins_anew(
    target: Store, messages: RunsKnowledge
) -> None:
    """Another port may be another server behind a tunnel."""
    target.put(save("first", "host", "username", version=1))
    target.put(done(place(1)), done(place(1), source="other"))
    target.put(save("first", "hours", "folder", "secret"))
    assert messages.done("support", [place(1)]) == {place(1)}
    for mailbox, changed in (("second", "host"), ("third", "username"), ("third", "port")):
        target.put(save(mailbox, changed))
        assert messages.done("support", [place(1)]) == set()
        target.put(done(place(1)))
    assert messages.done("other", [place(1)]) == {place(1)}
    assert follow(target, support="third") == {}


@pytest.mark.requirement("S2", "S10")
def test_a_run_that_goes_on_in_the_mailbox_before_takes_nothing_of_this_one_for_done(
    target: Store, messages: RunsKnowledge
) -> None:
    target.put(save("first", "host", "username", version=1))
    target.put(done(place(1), mailbox="first"))
    assert messages.done("support", [place(1)]) == {place(1)}
    target.put(save("second", "username"))
    target.put(done(place(2), mailbox="first"), done(place(3), mailbox="second"))
    assert messages.done("support", [place(1), place(2), place(3)]) == {place(3)}


@pytest.mark.requirement("S2", "S10")
def test_an_account_that_is_made_again_goes_on_unless_it_is_another_mailbox(
    target: Store, messages: RunsKnowledge
) -> None:
    target.put(save("first", "host", "port", "username", version=1))
    target.put(done(place(1)), remove())
    target.put(save("first", "host", "port", "username", version=1))
    assert messages.done("support", [place(1)]) == {place(1)}
    target.put(remove(), save("second", "host", "port", "username", version=1))
    assert messages.done("support", [place(1)]) == set()


@pytest.mark.requirement("S2", "S10")
def test_an_account_made_under_a_name_of_long_ago_takes_nothing_over(
    target: Store, messages: RunsKnowledge
) -> None:
    """Of a name that was removed before the upgrade nobody knows what it stood for."""
    target.put(done(place(1)))
    target.put(save("first", "host", "username", version=1))
    assert messages.done("support", [place(1)]) == set()


# --- retries by hand ---------------------------------------------------------------------------


def chosen(uid: int, *, elsewhere: bool = False) -> Chosen:
    item = place(uid).item
    key = item_key("mail", "support", item)
    return Chosen(uid, key, None if elsewhere else item, is_run=False)


def wanted(items: list[Chosen]) -> frozenset[str] | None:
    return plan_messages("support", items).wanted


def test_a_message_of_the_mailbox_before_keeps_no_other_from_being_retried() -> None:
    known = frozenset({place(1).item, place(2).item})
    assert wanted([chosen(1), chosen(2)]) == known
    assert wanted([chosen(1), chosen(3, elsewhere=True), chosen(2)]) == known
    assert wanted([chosen(3, elsewhere=True)]) is None
    whole = msgspec.structs.replace(chosen(4), name=None, is_run=True)
    assert wanted([chosen(1), whole]) is None
