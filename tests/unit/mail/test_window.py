"""After a time in which no run saw everything, the next one goes back to there; what it leaves out is said."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from daemon.clock import FakeClock
from daemon.config.values import Duration
from daemon.pipelines.mail.categoriser import CategorySession
from daemon.pipelines.mail.configured import mailbox_of
from daemon.pipelines.mail.model import ModelPaused
from daemon.pipelines.mail.window import MARGIN, Gap, Window
from daemon.store.database import Database
from daemon.store.ledgers.messages import mailboxes
from daemon.store.ledgers.messages.reading import Messages
from daemon.store.migrate import MIGRATIONS, migrate
from tests.unit.mail_support import NEWSLETTER, Mail, account
from tests.unit.spine_support import MEMORY, START, Store, store

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path, FakeClock(START)) as opened:
        yield opened


def mail_of(target: Store, folder: Path, **settings: object) -> Mail:
    """The account named support, as it is known after a start of the daemon."""
    mail = Mail(target, folder, {"support": account(**settings)})
    present = {name: mailbox_of(name, source) for name, source in mail.config.sources.items()}
    mailboxes.follow(target.database.writer, "mail", present)
    return mail


@pytest.fixture
def mail(target: Store, tmp_path: Path) -> Mail:
    return mail_of(target, tmp_path, hours=1)


def advance(mail: Mail, by: timedelta) -> None:
    assert isinstance(mail.clock, FakeClock)
    mail.clock.advance(by.total_seconds())


def deliver(mail: Mail, ago: timedelta) -> int:
    return mail.inbox.deliver(NEWSLETTER, mail.clock.now() - ago)


def labelled(mail: Mail) -> set[int]:
    return {uid for uid in mail.inbox.messages if mail.inbox.labels(uid)}


def reach_of(mail: Mail) -> datetime | None:
    return Messages(mail.store.database, mail.clock).reach("support", "INBOX")


@pytest.mark.requirement("S2", "I2")
def test_mail_that_came_while_the_account_could_not_be_reached_is_processed_afterwards(
    mail: Mail,
) -> None:
    mail.run()
    mail.inbox.lost_at = "search"
    advance(mail, HOUR)
    mail.run()
    during = deliver(mail, timedelta())
    advance(mail, 3 * DAY)
    mail.run()
    mail.inbox.lost_at = None
    advance(mail, HOUR)
    mail.run()
    assert labelled(mail) == {during}
    assert (
        "fetching",
        "Looking for messages since 2026-11-20 11:00 UTC, back to the last run that saw them all",
    ) in mail.steps()
    assert mail.failures()[0].item is None  # of the runs before
    advance(mail, 5 * HOUR)
    mail.run()
    assert mail.steps()[-2] == (
        "fetching",
        "Looking for messages since 2026-11-23 13:00 UTC, back to the last run that saw them all",
    )


@pytest.mark.requirement("S2", "I2")
def test_an_account_that_never_worked_misses_nothing_from_its_first_attempt_on(mail: Mail) -> None:
    mail.inbox.lost_at = "search"
    before = deliver(mail, timedelta(minutes=59))
    mail.run()
    advance(mail, 2 * DAY)
    mail.inbox.lost_at = None
    mail.run()
    assert labelled(mail) == {before}


@pytest.mark.requirement("S2", "I2")
def test_what_lies_further_back_than_catch_up_is_a_failure_that_can_be_retried(
    target: Store, tmp_path: Path
) -> None:
    mail = mail_of(target, tmp_path, hours=1, catch_up=Duration(2 * 86400))
    mail.run()
    old, older = deliver(mail, timedelta(minutes=-10)), deliver(mail, 2 * HOUR)
    advance(mail, 9 * DAY)
    young = deliver(mail, DAY)
    mail.run()
    assert labelled(mail) == {young}
    assert mail.runs()[-1] == ("partial", 1, 1, 0)
    (failure,) = mail.failures()
    assert failure.rule == "mailbox_messages_missed"
    assert failure.item == "missed/20261120T120000Z/20261127T120001Z"
    assert "between 2026-11-20 12:00 and 2026-11-27 12:00 UTC" in failure.error_message
    advance(mail, HOUR)
    mail.run()
    assert len(mail.failures()) == 1, "once is enough"
    mail.retry(failure.item)
    assert labelled(mail) == {young, old}
    assert mail.failures()[0].status == "resolved"
    assert older not in labelled(mail)


@pytest.mark.requirement("S2")
def test_a_run_that_was_cut_short_has_not_seen_everything(mail: Mail) -> None:
    mail.run()
    reach = reach_of(mail)
    mail.inbox.lost_at = "label"
    late = deliver(mail, timedelta())
    advance(mail, HOUR)
    mail.run()
    assert reach_of(mail) == reach
    mail.inbox.lost_at = None
    advance(mail, 2 * HOUR)
    mail.run()
    assert labelled(mail) == {late}


@pytest.mark.requirement("S2")
def test_a_run_that_left_something_for_the_next_one_has_not_seen_everything(
    mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail.run()
    waiting = deliver(mail, timedelta())
    advance(mail, HOUR)

    def paused(_self: object, _message: object) -> None:
        raise ModelPaused

    with monkeypatch.context() as patched:
        patched.setattr(CategorySession, "decide", paused)
        mail.run()
    assert (mail.runs()[-1], reach_of(mail)) == (("success", 0, 0, 1), START)
    advance(mail, 2 * HOUR)
    mail.run()
    assert labelled(mail) == {waiting}


@pytest.mark.requirement("S2")
def test_a_dry_run_and_a_retry_say_nothing_of_what_was_looked_through(
    target: Store, tmp_path: Path
) -> None:
    mail = mail_of(target, tmp_path, dry_run=True)
    mail.run()
    assert reach_of(mail) is None
    mail = mail_of(target, tmp_path)
    mail.retry("INBOX/1/1")
    assert reach_of(mail) is None
    mail.run()
    assert reach_of(mail) == START


@pytest.mark.requirement("S2")
def test_another_folder_begins_anew(target: Store, tmp_path: Path) -> None:
    mail_of(target, tmp_path).run()
    messages = Messages(target.database, target.clock)
    assert messages.reach("support", "INBOX") == START
    assert messages.reach("support", "Archive") is None


@pytest.mark.requirement("S2")
def test_a_clock_that_is_set_back_lets_no_message_be_taken_for_too_old(
    target: Store, tmp_path: Path
) -> None:
    mail = mail_of(target, tmp_path, hours=24)
    uid = deliver(mail, HOUR)
    advance(mail, 3 * DAY)
    mail.inbox.lost_at = None
    mail.run()
    assert labelled(mail) == set()
    advance(mail, -3 * DAY)
    mail.run()
    assert labelled(mail) == {uid}
    assert reach_of(mail) == START


@pytest.mark.requirement("S2")
@pytest.mark.parametrize(
    ("reach", "since", "missed"),
    [
        (None, DAY, None),
        (-DAY, DAY, None),  # a clock was set back
        (timedelta(minutes=5), DAY, None),
        (2 * DAY, 2 * DAY + MARGIN, None),
        (7 * DAY - MARGIN, 7 * DAY, None),
        (7 * DAY, 7 * DAY, None),
        (9 * DAY, 7 * DAY, Gap.covering(START - 9 * DAY, START - 7 * DAY)),
    ],
)
def test_a_window_is_the_last_hours_and_back_to_what_was_seen(
    reach: timedelta | None, since: timedelta, missed: Gap | None
) -> None:
    seen = None if reach is None else START - reach
    found = Window.of(account(hours=24, catch_up=Duration(7 * 86400)), seen, START)
    assert (found.since, found.missed) == (START - since, missed)


@pytest.mark.parametrize(
    "item", ["INBOX/1/2", "missed/INBOX/1", "missed", "missed/20260101T120000Z/", "gmail-1"]
)
def test_other_items_name_no_missed_time(item: str) -> None:
    assert Gap.of(item) is None


def test_a_missed_time_is_read_as_it_was_written() -> None:
    gap = Gap.covering(START, START + DAY)
    found = Gap.of(gap.item)
    assert found == gap
    assert START in found
    assert START + DAY in found
    assert START + DAY + timedelta(seconds=1) not in found


@pytest.mark.parametrize("schema", [9, 10])
def test_an_older_store_knows_of_each_mailbox_when_a_run_last_saw_it(
    tmp_path: Path, schema: int
) -> None:
    older = tmp_path / "migrations"
    older.mkdir()
    for step in sorted(MIGRATIONS.iterdir(), key=lambda f: f.name):
        if int(step.name[:4]) <= schema:
            shutil.copy(str(step), older / step.name)
    path = tmp_path / "store.duckdb"
    with duckdb.connect(str(path)) as connection:
        assert migrate(connection, older) == schema
        for name in ("ran", "failed"):
            connection.execute("INSERT INTO mailboxes VALUES ('mail', ?, 'm')", [name])
        for name, status, hour in (
            ("ran", "success", 1),
            ("ran", "partial", 2),
            ("ran", "failed", 3),
            ("failed", "failed", 3),
        ):
            connection.execute(
                "INSERT INTO runs BY NAME SELECT ? AS run_id, 'mail' AS pipeline, ? AS source, 'c' AS cycle_id, "
                "'schedule' AS started_by, ?::TIMESTAMP AS started_at, ? AS status, 'completed' AS state, '' AS step, "
                "0 AS succeeded, 0 AS failed, 0 AS skipped, 0 AS retryable",
                [f"{name}{hour}", name, f"2026-01-01 0{hour}:00:00", status],
            )
    database = Database(path, memory_limit=MEMORY)
    try:
        messages = Messages(database, FakeClock(START))
        assert messages.reach("ran", "INBOX") == datetime(2026, 1, 1, 2, tzinfo=UTC)
        assert messages.reach("failed", "INBOX") is None
    finally:
        database.close()
