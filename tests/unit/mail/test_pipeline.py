"""Each new message of an account gets the label of its category once; one bad message stops no other."""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from daemon.clock import FakeClock
from daemon.events import ItemSucceeded, ProgressMade
from daemon.pipelines.catalog import nothing_known
from daemon.pipelines.mail.categoriser import MailMessage
from daemon.pipelines.mail.configured import mailbox_of
from daemon.pipelines.mail.message import FetchedMessage
from tests.unit.mail_support import NEWSLETTER, PLAIN, ROBOT, Mail, account
from tests.unit.spine_support import START, Store, store


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path, FakeClock(START)) as opened:
        yield opened


@pytest.fixture
def mail(target: Store, tmp_path: Path) -> Mail:
    return Mail(target, tmp_path)


def item(mail: Mail, uid: int) -> str:
    return f"INBOX/{mail.inbox.uidvalidity}/{uid}"


@pytest.mark.requirement("S2")
def test_each_message_gets_the_label_of_its_category_and_why_is_kept(mail: Mail) -> None:
    plain, news, robot = mail.deliver(PLAIN, NEWSLETTER, ROBOT)
    mail.run()
    assert mail.runs() == [("success", 3, 0, 0)]
    assert mail.inbox.labels(news) == {"newsletter"}
    assert mail.inbox.labels(robot) == {"automated"}
    assert mail.inbox.labels(plain) == frozenset()
    assert mail.done() == [
        (plain, "uncategorised", "fallback", None),
        (news, "newsletter", "list_id", "newsletter"),
        (robot, "automated", "auto_submitted", "automated"),
    ]
    assert mail.server.open_connections == 0
    kept = [e.facts for e in mail.store.events() if isinstance(e, ItemSucceeded)]
    assert {facts and facts.mailbox for facts in kept} == {mailbox_of("support", account())}


@pytest.mark.requirement("S1", "S2")
def test_a_run_says_in_words_and_numbers_what_it_is_doing(target: Store, tmp_path: Path) -> None:
    mail = Mail(target, tmp_path, chunk=2)
    seen: list[ProgressMade] = []
    target.recorder.progress = seen.append  # type: ignore[method-assign]
    mail.deliver(NEWSLETTER, PLAIN, ROBOT)
    mail.run()
    assert mail.steps() == [
        ("connecting", "Looking up the credentials"),
        ("connecting", "Connecting to imap.example.com"),
        ("fetching", "Looking for messages of the last 24 hours"),
        ("fetching", "Fetching 2 of 3 headers"),
        ("categorizing", "Categorizing 2 messages"),
        ("labeling", "Labeling 1 message"),
        ("fetching", "Fetching 3 of 3 headers"),
        ("categorizing", "Categorizing 1 message"),
        ("labeling", "Labeling 1 message"),
    ]
    assert [event.current for event in seen] == [0, 0, 1, 2, 2, 2, 3]
    assert {event.total for event in seen} == {3}


@pytest.mark.requirement("S2")
def test_a_message_that_is_done_is_neither_fetched_nor_labelled_again(mail: Mail) -> None:
    mail.deliver(NEWSLETTER, PLAIN)
    mail.run()
    fetched, stored = list(mail.inbox.fetched), list(mail.inbox.stored)
    mail.run()
    assert mail.runs()[-1] == ("success", 0, 0, 2)
    assert (mail.inbox.fetched, mail.inbox.stored) == (fetched, stored)
    (late,) = mail.deliver(ROBOT)
    mail.run()
    assert mail.inbox.fetched[-1] == (late,)
    assert len(mail.done()) == 3


@pytest.mark.requirement("S2")
def test_on_gmail_a_message_is_done_once_under_whatever_uid_it_comes(mail: Mail) -> None:
    mail.inbox.gmail = True
    (first,) = mail.deliver(NEWSLETTER)
    mail.run()
    message = mail.inbox.messages.pop(first)
    again = mail.inbox.deliver(NEWSLETTER, message.received, uid=9, gm_msgid=message.gm_msgid)
    mail.run()
    assert mail.runs() == [("success", 1, 0, 0), ("success", 0, 0, 1)]
    assert mail.inbox.labels(again) == frozenset()


@pytest.mark.requirement("S2", "X3")
def test_what_the_store_could_not_be_told_yet_is_not_done_twice(
    mail: Mail,
) -> None:
    """As with a full disk: the server has confirmed, the events wait, and cycles go on."""
    mail.deliver(NEWSLETTER, PLAIN)
    mail.look_up = nothing_known
    mail.run()
    written = list(mail.inbox.stored)
    mail.run()
    assert mail.runs() == [("success", 2, 0, 0), ("success", 0, 0, 2)]
    assert mail.inbox.stored == written
    assert len(mail.done()) == 2


@pytest.mark.requirement("S3", "X3")
def test_a_crash_between_label_and_commit_leads_to_one_label(mail: Mail) -> None:
    (uid,) = mail.deliver(NEWSLETTER)
    # As kill -9 leaves it: the server has the label, the store knows nothing.
    labelled = replace(mail.inbox.messages[uid], flags=frozenset({"newsletter"}))
    mail.inbox.messages[uid] = labelled
    mail.run()
    assert mail.inbox.labels(uid) == {"newsletter"}
    assert mail.done() == [(uid, "newsletter", "list_id", "newsletter")]
    mail.run()
    assert len(mail.done()) == 1
    assert mail.inbox.stored == [((uid,), "newsletter")]


@pytest.mark.requirement("S2")
def test_only_the_last_hours_are_looked_at_and_what_is_too_old_is_fetched_once(mail: Mail) -> None:
    now = mail.clock.now()
    old = mail.inbox.deliver(NEWSLETTER, now - timedelta(hours=25))
    young = mail.inbox.deliver(NEWSLETTER, now - timedelta(hours=24))
    mail.run()
    assert mail.inbox.labels(old) == frozenset()
    assert mail.inbox.labels(young) == {"newsletter"}
    assert mail.runs() == [("success", 1, 0, 0)]
    mail.run()
    assert mail.inbox.fetched == [(old, young)]


@pytest.mark.requirement("S2")
def test_what_the_server_does_not_confirm_fails_and_is_not_done(mail: Mail) -> None:
    dropped, good = mail.deliver(NEWSLETTER, NEWSLETTER)
    mail.inbox.refuses = {dropped}
    mail.run()
    assert mail.runs() == [("partial", 1, 1, 0)]
    assert [row[0] for row in mail.done()] == [good]
    (failure,) = mail.failures()
    assert (failure.item, failure.step) == (item(mail, dropped), "labeling")


@pytest.mark.requirement("S2")
def test_an_unreadable_message_fails_by_itself(mail: Mail) -> None:
    broken, good = mail.deliver(NEWSLETTER, NEWSLETTER)
    mail.inbox.unreadable = {broken}
    mail.run()
    mail.run()
    assert mail.runs() == [("partial", 1, 1, 0), ("partial", 0, 0, 2)]
    assert [(f.item, f.attempt) for f in mail.failures()] == [(item(mail, broken), 1)]
    assert [row[0] for row in mail.done()] == [good]


def test_a_message_that_is_gone_meanwhile_is_no_failure(mail: Mail) -> None:
    gone, good = mail.deliver(NEWSLETTER, NEWSLETTER)
    mail.inbox.stored = _RemovedAtStore(mail, gone)
    mail.run()
    assert mail.runs() == [("success", 1, 0, 1)]
    assert [row[0] for row in mail.done()] == [good]


class _RemovedAtStore(list[tuple[tuple[int, ...], str]]):
    """The list of label commands, which loses a message as the first one arrives."""

    def __init__(self, mail: Mail, uid: int) -> None:
        super().__init__()
        self._mail, self._uid = mail, uid

    def append(self, command: tuple[tuple[int, ...], str]) -> None:
        super().append(command)
        self._mail.inbox.messages.pop(self._uid, None)


@pytest.mark.requirement("S2", "X3")
def test_a_lost_connection_fails_the_run_and_keeps_what_was_confirmed(
    target: Store, tmp_path: Path
) -> None:
    mail = Mail(target, tmp_path, chunk=1)
    first, second = mail.deliver(NEWSLETTER, NEWSLETTER)
    mail.inbox.lost_at, mail.inbox.answers_before_loss = "label", 1
    mail.run()
    assert mail.runs() == [("failed", 1, 0, 0)]
    (failure,) = mail.failures()
    assert (failure.item, failure.step, failure.category) == (None, "labeling", "connection")
    assert [row[0] for row in mail.done()] == [first]
    mail.inbox.lost_at = None
    mail.run()
    assert [row[0] for row in mail.done()] == [first, second]
    assert [uids for uids, _ in mail.inbox.stored] == [(first,), (second,)]
    assert mail.failures()[0].status == "resolved"


@pytest.mark.requirement("S2")
def test_one_account_that_fails_never_stops_the_others(target: Store, tmp_path: Path) -> None:
    mail = Mail(target, tmp_path, {"support": account(), "sales": account()}, concurrency=2)
    mail.deliver(NEWSLETTER)
    mail.folders["sales"].deliver(NEWSLETTER, START)
    mail.inbox.lost_at = "search"
    mail.run()
    assert mail.runs("support") == [("failed", 0, 0, 0)]
    assert mail.runs("sales") == [("success", 1, 0, 0)]


def test_a_dry_run_writes_nothing_says_what_it_would_and_marks_nothing_done(tmp_path: Path) -> None:
    with store(tmp_path, FakeClock(START)) as target:
        messages = dry_run(Mail(target, tmp_path, {"support": account(dry_run=True)}))
    with store(tmp_path, FakeClock(START)) as target:
        mail = Mail(target, tmp_path)
        mail.inbox.messages = messages
        mail.run()
        assert len(mail.done()) == 3


def dry_run(mail: Mail) -> dict[int, FetchedMessage]:
    """Runs it on three messages, and returns them."""
    mail.deliver(NEWSLETTER, NEWSLETTER, PLAIN)
    mail.run()
    assert mail.runs() == [("success", 0, 0, 3)]
    assert (mail.inbox.stored, mail.done()) == ([], [])
    assert [text for _, text in mail.steps()][-2:] == [
        "Dry run: would label none of 1 message (category uncategorised, by fallback 1)",
        "Dry run: would label 2 messages newsletter (category newsletter, by list_id 2)",
    ]
    return mail.inbox.messages


@pytest.mark.requirement("S2")
def test_cancelling_ends_a_run_with_what_was_done_until_then(target: Store, tmp_path: Path) -> None:
    mail = Mail(target, tmp_path, chunk=1)
    first, second = mail.deliver(NEWSLETTER, NEWSLETTER)
    mail.inbox.stored = _CancelAtStore(mail)
    mail.run()
    assert mail.runs() == [("interrupted", 1, 0, 0)]
    assert [row[0] for row in mail.done()] == [first]
    assert mail.failures() == []
    assert mail.inbox.labels(second) == frozenset()


class _CancelAtStore(list[tuple[tuple[int, ...], str]]):
    """The list of label commands, which asks all runs to stop as the first one arrives."""

    def __init__(self, mail: Mail) -> None:
        super().__init__()
        self._mail = mail

    def append(self, command: tuple[tuple[int, ...], str]) -> None:
        super().append(command)
        self._mail.machinery.runner.cancel()


class _Slow:
    """An own function that takes its time; it counts how often it was asked."""

    def __init__(self, mail_clock: FakeClock, seconds: float) -> None:
        self.clock, self.seconds, self.asked = mail_clock, seconds, 0

    def __call__(self, message: MailMessage) -> str:
        self.asked += 1
        self.clock.advance(self.seconds)
        return "thought"


@pytest.mark.requirement("S2", "X3")
def test_what_is_decided_slowly_is_written_in_small_steps_that_are_kept(
    target: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(target.clock, FakeClock)
    slow = _Slow(target.clock, 0.3)
    mail = Mail(target, tmp_path, categoriser=own_categoriser(monkeypatch, slow))
    uids = mail.deliver(*[PLAIN] * 10)
    mail.inbox.lost_at, mail.inbox.answers_before_loss = "label", 2
    mail.run()
    assert [row[0] for row in mail.done()] == uids[:8]
    assert [len(written) for written, _ in mail.inbox.stored] == [4, 4]
    mail.inbox.lost_at = None
    mail.run()
    assert [row[0] for row in mail.done()] == uids
    assert slow.asked == 10


@pytest.mark.requirement("S2", "X3")
def test_deciding_that_takes_longer_than_the_deadline_comes_to_an_end_all_the_same(
    target: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(target.clock, FakeClock)
    slow = _Slow(target.clock, 7)
    mail = Mail(target, tmp_path, categoriser=own_categoriser(monkeypatch, slow))
    mail.inbox.deadline = 5
    uids = mail.deliver(*[PLAIN] * 3)
    for done in (0, 1, 2, 3):
        mail.run()
        assert [row[0] for row in mail.done()] == uids[:done]
    assert slow.asked == 3
    assert [status for status, *_ in mail.runs()] == ["failed", "failed", "failed", "success"]


@pytest.mark.requirement("S2", "F4")
def test_a_message_that_breaks_the_connection_fails_by_itself_and_is_left_alone_until_it_is_due(
    mail: Mail,
) -> None:
    uids = mail.deliver(*[NEWSLETTER] * 9)
    mail.inbox.breaks_at = {uids[4]}
    mail.run()
    assert mail.runs() == [("partial", 8, 1, 0)]
    (failure,) = mail.failures()
    assert (failure.item, failure.rule) == (
        item(mail, uids[4]),
        "mailbox_message_breaks_connection",
    )
    assert failure.retryable
    asked = len(mail.inbox.fetched)
    (late,) = mail.deliver(ROBOT)
    mail.run()
    assert mail.inbox.fetched[asked:] == [(late,)]
    assert mail.runs()[-1] == ("partial", 1, 0, 9)


@pytest.mark.requirement("I2", "S2")
def test_a_failed_message_that_is_gone_is_resolved_when_it_is_tried_again(mail: Mail) -> None:
    (broken,) = mail.deliver(NEWSLETTER)
    mail.inbox.unreadable = {broken}
    mail.run()
    assert [failure.status for failure in mail.failures()] == ["open"]
    del mail.inbox.messages[broken]
    mail.retry(item(mail, broken))
    assert [failure.status for failure in mail.failures()] == ["resolved"]
    assert mail.runs()[-1] == ("success", 0, 0, 1)


def test_a_message_that_is_gone_when_it_is_fetched_is_counted_and_is_no_failure(mail: Mail) -> None:
    gone, good = mail.deliver(NEWSLETTER, NEWSLETTER)
    mail.inbox.fetched = _RemovedAtFetch(mail, gone)
    mail.run()
    assert mail.runs() == [("success", 1, 0, 1)]
    assert [row[0] for row in mail.done()] == [good]


class _RemovedAtFetch(list[tuple[int, ...]]):
    """The list of fetch commands, which loses a message as the first one arrives."""

    def __init__(self, mail: Mail, uid: int) -> None:
        super().__init__()
        self._mail, self._uid = mail, uid

    def append(self, command: tuple[int, ...]) -> None:
        super().append(command)
        self._mail.inbox.messages.pop(self._uid, None)


# --- labels and own categorisers ---------------------------------------------------------------


def test_labels_are_mapped_and_an_empty_one_is_only_recorded(target: Store, tmp_path: Path) -> None:
    labels = {"newsletter": "Read later", "automated": "", "other": "Other"}
    mail = Mail(target, tmp_path, labels=labels, fallback="other")
    plain, news, robot = mail.deliver(PLAIN, NEWSLETTER, ROBOT)
    mail.run()
    assert mail.done() == [
        (plain, "other", "fallback", "Other"),
        (news, "newsletter", "list_id", "Read later"),
        (robot, "automated", "auto_submitted", None),
    ]
    assert mail.inbox.labels(robot) == frozenset()


def test_a_rule_of_the_user_has_its_own_label(target: Store, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        "[[rule]]\nname = 'ann'\ncategory = 'family'\nlabel = 'Ann'\nsender_domains = ['example.com']\n"
    )
    mail = Mail(target, tmp_path, categories="mine.toml")
    (uid,) = mail.deliver(PLAIN)
    mail.run()
    assert mail.done() == [(uid, "family", "ann", "Ann")]


def own_categoriser(monkeypatch: pytest.MonkeyPatch, function: Any) -> str:
    """A module of the user's with that function; its name in the configuration."""
    module = types.ModuleType("own_mail")
    module.categorise = function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_mail", module)
    return "own_mail:categorise"


@pytest.mark.requirement("S2")
def test_an_own_categoriser_is_asked_first_and_may_leave_it_to_the_rules(
    target: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def categorise(message: MailMessage) -> str | None:
        return "friends" if message.headers["from"] == "Ann <ann@example.com>" else None

    mail = Mail(target, tmp_path, categoriser=own_categoriser(monkeypatch, categorise))
    plain, news = mail.deliver(PLAIN, NEWSLETTER)
    mail.run()
    assert mail.done() == [
        (plain, "friends", "own", "friends"),
        (news, "newsletter", "list_id", "newsletter"),
    ]


@pytest.mark.requirement("S2", "F4")
@pytest.mark.parametrize("bad", ["raise", "exit", "cancel", "not a category", 7])
def test_an_own_categoriser_that_fails_fails_that_message_once(
    target: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: object
) -> None:
    def categorise(message: MailMessage) -> Any:
        if "ann" not in message.headers["From"]:
            return None
        if bad == "raise":
            raise KeyError("no-such-folder")
        if bad == "exit":
            sys.exit(3)
        if bad == "cancel":
            raise asyncio.CancelledError
        return bad

    mail = Mail(target, tmp_path, categoriser=own_categoriser(monkeypatch, categorise))
    plain, news = mail.deliver(PLAIN, NEWSLETTER)
    mail.run()
    mail.run()
    assert mail.runs() == [("partial", 1, 1, 0), ("partial", 0, 0, 2)]
    (failure,) = mail.failures()
    assert (failure.item, failure.step) == (item(mail, plain), "categorizing")
    if bad in ("not a category", 7):
        assert failure.rule == "categoriser_no_category"
    assert [row[0] for row in mail.done()] == [news]


@pytest.mark.requirement("F3")
def test_a_failed_message_is_processed_again_when_a_person_asks_however_old_it_is(
    target: Store, tmp_path: Path
) -> None:
    mail = Mail(target, tmp_path)
    failed, other = mail.deliver(NEWSLETTER, NEWSLETTER)
    mail.inbox.refuses = {failed, other}
    mail.run()
    mail.inbox.refuses = set()
    assert isinstance(mail.clock, FakeClock)
    mail.clock.advance(3 * 86400)
    mail.retry(item(mail, failed))
    assert [row[0] for row in mail.done()] == [failed]
    assert {f.item: f.status for f in mail.failures()} == {
        item(mail, failed): "resolved",
        item(mail, other): "open",
    }
    assert mail.inbox.fetched[-1] == (failed,)


def test_on_gmail_a_failed_message_is_found_by_its_id_when_a_person_asks(mail: Mail) -> None:
    mail.inbox.gmail = True
    failed, other = mail.deliver(NEWSLETTER, NEWSLETTER)
    mail.inbox.refuses = {failed, other}
    mail.run()
    mail.inbox.refuses = set()
    mail.retry(f"gmail-{mail.inbox.messages[failed].gm_msgid}")
    assert [row[0] for row in mail.done()] == [failed]
    mail.retry("gmail-1", f"INBOX/1/{failed}")
    assert len(mail.done()) == 1


@pytest.mark.requirement("F6")
def test_nothing_personal_reaches_items_steps_or_the_store(mail: Mail, tmp_path: Path) -> None:
    mail.deliver("From: Secret Person <secret.person@example.com>\nSubject: Payroll 4711\n\n")
    mail.run()
    mail.store.close()
    stored = b"".join(f.read_bytes() for f in tmp_path.glob("store.duckdb*"))
    for word in (b"Secret", b"secret.person", b"Payroll", b"sesame"):
        assert word not in stored
