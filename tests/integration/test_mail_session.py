"""A mailbox over IMAP: against a real Dovecot, and Gmail's extension against a scripted server."""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
import pytest

from daemon.clock import Clock, FakeClock, SystemClock
from daemon.pipelines.mail import errors
from daemon.pipelines.mail.account import MailAccount, OAuth, Password
from daemon.pipelines.mail.headers import Headers
from daemon.pipelines.mail.message import LONGEST_HEADERS, FetchedMessage
from daemon.pipelines.mail.oauth import AccessTokens
from daemon.pipelines.mail.parts import SpoiledMessages, in_parts
from daemon.pipelines.mail.session import open_mailbox, verify
from daemon.pipelines.mail.watchdog import Watchdog
from daemon.taxonomy import Category
from tests.integration.mail_support import Onlooker, account, triaged
from tests.support.dovecot import DOVECOT, PASSWORD, Dovecot
from tests.support.gmail_server import GmailServer
from tests.support.scripted_imap import CAPABILITY, SELECTED, ScriptedServer
from tests.support.token_endpoint import TokenEndpoint

CLOCK = SystemClock()
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
ODD_PASSWORDS = ['quote " and \\ slash', "spaces in it", "pässwört-π"]


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    if DOVECOT is None:
        pytest.skip("dovecot is not installed")
    server = Dovecot()
    for number, password in enumerate(ODD_PASSWORDS):
        server.account(f"odd-{number}", password)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def ann(dovecot: Dovecot, request: pytest.FixtureRequest) -> str:
    """The name of an account with an empty mailbox of its own."""
    return dovecot.account(f"ann-{abs(hash(request.node.nodeid)) % 10**9}")


def all_of(one: MailAccount, hours: float = 24) -> list[FetchedMessage]:
    with open_mailbox(one, Onlooker(), CLOCK) as box:
        return box.fetch(box.search(NOW - timedelta(hours=hours))).messages


# Connecting


@pytest.mark.requirement("S2")
@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
def test_each_kind_of_encryption_leads_to_the_mailbox(dovecot: Dovecot, ann: str, tls: str) -> None:
    dovecot.deliver(ann, {"From": "bob@example.com"}, at=NOW)
    authority = None if tls == "none" else str(dovecot.certificates.authority)
    port = dovecot.tls_port if tls == "implicit" else dovecot.port
    assert len(all_of(account(port, tls=tls, ca_file=authority, username=ann))) == 1


@pytest.mark.requirement("S1")
def test_the_steps_on_the_way_are_told(dovecot: Dovecot, ann: str) -> None:
    onlooker = Onlooker()
    with open_mailbox(account(dovecot.port, username=ann), onlooker, CLOCK):
        pass
    assert onlooker.steps == [
        ("connecting", "Connecting to localhost"),
        ("connecting", "Logging in"),
        ("connecting", "Opening INBOX"),
    ]


@pytest.mark.requirement("S10")
def test_an_account_that_works_is_verified(dovecot: Dovecot, ann: str) -> None:
    verify(account(dovecot.port, username=ann), CLOCK)


@pytest.mark.requirement("S10")
@pytest.mark.parametrize("user", ["right", "unknown"])
def test_a_wrong_password_and_an_unknown_user_look_the_same(
    dovecot: Dovecot, ann: str, user: str
) -> None:
    one = account(
        dovecot.port, username=ann if user == "right" else "nobody-here", password="wrong-4711"
    )
    with pytest.raises(errors.LoginRefused) as caught:
        verify(one, CLOCK)
    found = triaged(caught.value)
    assert (found.category, found.retryable) == (Category.AUTHENTICATION, False)
    assert "wrong-4711" not in f"{found.message} {found.full_text}"


@pytest.mark.parametrize("number", range(len(ODD_PASSWORDS)))
def test_odd_passwords_are_sent_as_they_are(dovecot: Dovecot, number: int) -> None:
    user, password = f"odd-{number}", ODD_PASSWORDS[number]
    verify(account(dovecot.port, username=user, password=password), CLOCK)


def test_a_user_name_cannot_be_a_command() -> None:
    with ScriptedServer() as server:
        verify(account(server.port, username='a b"c'), CLOCK)
        assert server.commands(b"LOGIN")[0].startswith(b'LOGIN "a b\\"c" ')
        server.script = {**server.script, b"AUTHENTICATE": b"TAG NO no\r\n"}
        with pytest.raises(errors.LoginRefused):
            verify(account(server.port, username="a\r\nx LOGOUT"), CLOCK)
        assert server.unexpected == []


def test_a_read_only_folder_is_a_matter_of_permission(dovecot: Dovecot, ann: str) -> None:
    dovecot.folder(ann, "Fixed", acl="lr")
    one = account(dovecot.port, username=ann, folder="Fixed")
    with pytest.raises(errors.FolderReadOnly) as caught:
        verify(one, CLOCK)
    found = triaged(caught.value)
    assert found.category is Category.PERMISSION
    assert "read-only" in found.user_message


def test_a_dry_run_may_look_at_a_read_only_folder(dovecot: Dovecot, ann: str) -> None:
    dovecot.folder(ann, "Fixed", acl="lr")
    dovecot.deliver(ann, {"From": "bob@example.com"}, at=NOW, folder="Fixed")
    one = account(dovecot.port, username=ann, folder="Fixed", dry_run=True)
    assert len(all_of(one)) == 1


def test_a_folder_that_does_not_exist_is_a_matter_of_settings(dovecot: Dovecot, ann: str) -> None:
    with pytest.raises(errors.FolderRefused) as caught:
        verify(account(dovecot.port, username=ann, folder="Archive/2026"), CLOCK)
    found = triaged(caught.value)
    assert (found.category, found.retryable) == (Category.CONFIGURATION, False)


def test_a_folder_whose_name_is_not_ascii_is_opened(dovecot: Dovecot, ann: str) -> None:
    dovecot.folder(ann, "Entw&APw-rfe")
    verify(account(dovecot.port, username=ann, folder="Entwürfe"), CLOCK)


def test_few_round_trips_lead_to_the_messages() -> None:
    with ScriptedServer(
        {
            b"LOGIN": b"TAG OK [CAPABILITY IMAP4rev1 WITHIN] in\r\n",
            b"UID FETCH": fetched,
        }
    ) as server:
        all_of(account(server.port))
        words = [command.split(b" (")[0].split()[:2] for command in server.received]
    assert [b" ".join(part).split()[0] for part in words] == [
        b"CAPABILITY", b"LOGIN", b"SELECT", b"UID", b"UID", b"UID", b"LOGOUT",
    ]  # fmt: skip


# Searching and fetching


@pytest.mark.requirement("S2")
def test_messages_of_the_last_hours_are_found(dovecot: Dovecot, ann: str) -> None:
    for hours in (1, 23, 30, 80, 200):
        dovecot.deliver(ann, {"Subject": f"{hours}"}, at=NOW - timedelta(hours=hours))
    one = account(dovecot.port, username=ann)
    found = {m.headers.strip() for m in all_of(one) if m.received >= NOW - DAY}
    assert found == {b"Subject: 1", b"Subject: 23"}
    assert all_of(one, hours=0.1) == []


def test_a_server_without_within_is_searched_by_days() -> None:
    with ScriptedServer() as server:
        one = account(server.port)
        with open_mailbox(one, Onlooker(), CLOCK) as box:
            box.search(datetime(2026, 3, 1, 0, 30, tzinfo=UTC))
        assert server.commands(b"UID SEARCH") == [b"UID SEARCH SINCE 28-Feb-2026"]


def test_a_message_comes_with_what_categories_are_found_by(dovecot: Dovecot, ann: str) -> None:
    received = NOW.replace(microsecond=0) - timedelta(hours=2)
    dovecot.deliver(
        ann,
        {"From": "Bob <bob@example.com>", "X-Other": "left out", "List-Id": "<l.example.com>"},
        at=received,
        flags="F",
        body="the contents",
    )
    (message,) = all_of(account(dovecot.port, username=ann))
    assert message.received == received
    assert message.headers == b"From: Bob <bob@example.com>\r\nList-Id: <l.example.com>\r\n\r\n"
    assert message.size > len(message.headers)
    assert "\\Flagged" in message.flags
    assert message.gm_msgid is None


def test_reading_leaves_messages_unread(dovecot: Dovecot, ann: str) -> None:
    dovecot.deliver(ann, {"Subject": "new"}, at=NOW)
    one = account(dovecot.port, username=ann)
    with open_mailbox(one, Onlooker(), CLOCK) as box:
        uids = box.search(NOW - DAY)
        box.fetch(uids)
        box.label(uids, "Newsletter")
    (message,) = all_of(one)
    assert message.flags >= {"Newsletter"}
    assert not message.flags & {"\\Seen", "\\Deleted"}


def test_hostile_headers_come_as_they_are(dovecot: Dovecot, ann: str) -> None:
    raw = b'From: "\xff\xfe)(*{10}\r\n =?x?q?=\r\nSubject: ' + b"(" * 500 + b"\r\n"
    dovecot.deliver(ann, raw, at=NOW)
    dovecot.deliver(ann, {"Subject": "good"}, at=NOW)
    assert len(all_of(account(dovecot.port, username=ann))) == 2


@pytest.mark.requirement("S2")
def test_no_more_of_a_header_is_fetched_than_is_looked_at(dovecot: Dovecot, ann: str) -> None:
    long = b"".join(b" <%060d@example.org>\r\n" % number for number in range(5_000))
    dovecot.deliver(ann, b"References:" + long + b"List-Id: <weekly>\r\n", at=NOW)
    (message,) = all_of(account(dovecot.port, username=ann))
    assert len(message.long_headers) == LONGEST_HEADERS
    headers = Headers.parse(message.headers, message.long_headers)
    assert headers["List-Id"] == "<weekly>"
    with pytest.raises(errors.HeadersTooLong):
        headers.get("References")


def test_messages_that_are_gone_meanwhile_are_missing(dovecot: Dovecot, ann: str) -> None:
    dovecot.deliver(ann, {"Subject": "here"}, at=NOW)
    with open_mailbox(account(dovecot.port, username=ann), Onlooker(), CLOCK) as box:
        (uid,) = box.search(NOW - DAY)
        assert [m.uid for m in box.fetch([uid, uid + 1]).messages] == [uid]
        assert dict(box.label([uid, uid + 1], "Kept")) == {uid: None}


def described(uid: int, flags: bytes = b"") -> bytes:
    return (
        b'* %d FETCH (UID %d INTERNALDATE "22-Nov-2026 10:00:00 +0100" RFC822.SIZE 9 FLAGS (%s) '
        b"BODY[HEADER.FIELDS (FROM)] {2}\r\n\r\n)\r\n" % (uid, uid, flags)
    )


def fetched(command: bytes) -> bytes:
    """A message with UID 5 has a keyword that no client can read."""
    uids = [int(uid) for uid in command.split()[2].split(b",")]
    lines = [described(uid, b"odd[one" if uid == 5 else b"\\Seen") for uid in uids]
    return b"".join(lines) + b"TAG OK done\r\n"


def test_one_message_that_cannot_be_read_keeps_none_back() -> None:
    with ScriptedServer({b"UID FETCH": fetched}) as server:
        with open_mailbox(account(server.port), Onlooker(), CLOCK) as box:
            answer = box.fetch(range(1, 41))
        assert len(server.commands(b"UID FETCH")) < 15
    assert [m.uid for m in answer.messages] == [uid for uid in range(1, 41) if uid != 5]
    assert [type(error) for error in answer.unreadable.values()] == [errors.MessageUnreadable]
    assert triaged(answer.unreadable[5]).category is Category.DATA_MALFORMED


def test_messages_that_another_client_deletes_are_no_failure() -> None:
    def answer(command: bytes) -> bytes:
        if b"3" in command.split()[2].split(b","):
            return b"TAG NO [EXPUNGEISSUED] Some are gone\r\n"
        return fetched(command)

    with (
        ScriptedServer({b"UID FETCH": answer}) as server,
        open_mailbox(account(server.port), Onlooker(), CLOCK) as box,
    ):
        found = list(in_parts(box, [1, 2, 3, 4], box.fetch))
    assert [m.uid for answer in found for m in answer.messages] == [1, 2, 4]
    assert [answer.gone for answer in found] == [[], [3], []]
    assert [answer.unreadable for answer in found] == [{}, {}, {}]


class Unlike(NamedTuple):
    """A server that is unlike others about the message with UID 12."""

    answer: bytes
    """What it says of it; everything else about the others."""
    wrong: type[Exception]


HEAD = b'* 2 FETCH (UID 12 INTERNALDATE "22-Nov-2026 10:00:00 +0100" RFC822.SIZE 9 FLAGS () '
SECTION = b"BODY[HEADER.FIELDS (FROM)]<0> "
UNLIKE = {
    "left out": Unlike(b"", errors.MessageLeftOut),
    "only its flags": Unlike(b"* 2 FETCH (UID 12 FLAGS ())\r\n", errors.MessageLeftOut),
    "no headers": Unlike(HEAD + b"X NIL)\r\n", errors.MessageLeftOut),
    "nil headers": Unlike(HEAD + SECTION + b"NIL)\r\n", errors.MessageLeftOut),
    "empty headers": Unlike(HEAD + SECTION + b'"")\r\n', errors.MessageLeftOut),
    "headers cut off": Unlike(HEAD + SECTION + b"{9}\r\nFrom: a\r\n" + b"L)\r\n", errors.MessageUnreadable),
    "headers that stop in a line": Unlike(HEAD + SECTION + b"{4}\r\nList)\r\n", errors.MessageLeftOut),
    "more after the end": Unlike(
        HEAD + SECTION + b"{27}\r\nFrom: a\r\n\r\nList-Id: <x>\r\n\r\n)\r\n", errors.MessageUnreadable
    ),
    "nil date": Unlike(
        HEAD.replace(b'"22-Nov-2026 10:00:00 +0100"', b"NIL") + SECTION + b"{2}\r\n\r\n)\r\n",
        errors.MessageLeftOut,
    ),
    "a date after all": Unlike(
        HEAD.replace(b"22-Nov-2026 10:00:00 +0100", b"31-Dec-9999 23:59:59 -1200")
        + SECTION + b"{2}\r\n\r\n)\r\n",
        errors.MessageUnreadable,
    ),
    "nil size": Unlike(HEAD.replace(b"SIZE 9", b"SIZE NIL") + SECTION + b"{2}\r\n\r\n)\r\n", errors.MessageLeftOut),
    "nil flags": Unlike(HEAD.replace(b"()", b"NIL") + SECTION + b"{2}\r\n\r\n)\r\n", errors.MessageLeftOut),
    "a size that is none": Unlike(HEAD.replace(b"SIZE 9", b"SIZE x") + SECTION + b"{2}\r\n\r\n)\r\n", errors.MessageUnreadable),
    "nil": Unlike(b"* 2 FETCH NIL\r\n", errors.MessageLeftOut),
    "never closed": Unlike(b"* 2 FETCH (UID 12\r\n", errors.MessageUnreadable),
    "as another message": Unlike(HEAD.replace(b"UID 12", b"UID 99") + SECTION + b"{2}\r\n\r\n)\r\n", errors.MessageLeftOut),
    "without its uid": Unlike(HEAD.replace(b"UID 12 ", b"") + SECTION + b"{2}\r\n\r\n)\r\n", errors.MessageLeftOut),
    "a length that is too small": Unlike(HEAD + SECTION + b"{2}\r\nFrom: a\r\nList-Id: <x>\r\n\r\n)\r\n", errors.MessageBreaksConnection),
    "a length that is too large": Unlike(HEAD + SECTION + b"{40}\r\nFrom: a\r\n\r\n)\r\n", errors.MessageBreaksConnection),
    "stray bytes": Unlike(HEAD + SECTION + b"{2}\r\n\r\n)\r\nstray bytes\r\n", errors.MessageBreaksConnection),
    "goodbye": Unlike(b"* BYE sorry\r\n", errors.MessageBreaksConnection),
    "a literal without end": Unlike(HEAD + SECTION + b"{99999999999}\r\n", errors.MessageBreaksConnection),
}  # fmt: skip


def answering(unlike: bytes) -> Callable[[bytes], bytes]:
    def answer(command: bytes) -> bytes:
        uids = [int(uid) for uid in command.split()[2].split(b",")]
        told = b"".join(unlike if uid == 12 else described(uid) for uid in uids)
        return told + (b"" if b"BYE" in told else b"TAG OK done\r\n")

    return answer


@pytest.mark.requirement("S2", "F4")
@pytest.mark.parametrize("name", UNLIKE)
def test_a_message_that_the_server_lists_and_does_not_describe_fails_and_all_others_are_read(
    name: str,
) -> None:
    case = UNLIKE[name]
    script = {b"UID FETCH": answering(case.answer), SEARCH_AGAIN: b"* SEARCH 12\r\nTAG OK done\r\n"}
    with ScriptedServer(script) as server:
        one = account(server.port, timeout=1.0 if "too large" in name else 10.0)
        read, wrong = in_parts_of(one, [11, 12, 13, 14])
    assert read == [11, 13, 14]
    assert [type(error) for error in wrong.values()] == [case.wrong]
    assert set(wrong) == {12}
    found = triaged(wrong[12])
    assert found.category in (Category.SERVICE_UNAVAILABLE, Category.DATA_MALFORMED), found
    assert found.rule.startswith("mailbox_"), found
    assert found.retryable == (case.wrong is not errors.MessageUnreadable)


SEARCH_AGAIN = b"UID SEARCH UID"


def in_parts_of(one: MailAccount, uids: list[int]) -> tuple[list[int], dict[int, Exception]]:
    """The messages that are read, and what is wrong with the others."""
    read: list[int] = []
    wrong: dict[int, Exception] = {}
    with open_mailbox(one, Onlooker(), CLOCK) as box:
        for answer in in_parts(box, uids, box.fetch):
            if isinstance(answer, SpoiledMessages):
                wrong |= answer
            else:
                read += [message.uid for message in answer.messages]
                wrong |= answer.unreadable
    return sorted(read), wrong


def test_a_server_that_does_not_say_what_it_lists_is_taken_to_list_it() -> None:
    script = {b"UID FETCH": answering(b""), SEARCH_AGAIN: b"TAG NO not now\r\n"}
    with ScriptedServer(script) as server:
        read, wrong = in_parts_of(account(server.port), [11, 12])
    assert (read, set(wrong)) == ([11], {12})


@pytest.mark.parametrize(
    "refused", [b"TAG NO System Error (Failure)\r\n", b"TAG BAD no such message\r\n"]
)
def test_a_refusal_because_of_one_message_keeps_no_other_back(refused: bytes) -> None:
    def answer(command: bytes) -> bytes:
        return refused if b"12" in command.split()[2].split(b",") else answering(b"")(command)

    with ScriptedServer({b"UID FETCH": answer}) as server:
        read, wrong = in_parts_of(account(server.port), list(range(1, 41)))
        assert len(server.commands(b"UID FETCH")) < 30
    assert read == [uid for uid in range(1, 41) if uid != 12]
    assert isinstance(wrong[12], errors.MessageRefused)
    assert triaged(wrong[12]).category is Category.SERVICE_UNAVAILABLE


def test_a_label_that_is_refused_because_of_one_message_is_written_to_the_others() -> None:
    def store(command: bytes) -> bytes:
        uids = command.split()[2].split(b",")
        if b"12" in uids:
            return b"TAG NO System Error\r\n"
        told = b"".join(b"* 1 FETCH (UID %s FLAGS (Newsletter))\r\n" % uid for uid in uids)
        return told + b"TAG OK done\r\n"

    script = {
        b"UID STORE": store,
        b"UID FETCH": b"* 2 FETCH (UID 12 FLAGS ())\r\nTAG OK done\r\n",
    }
    outcome: dict[int, Exception | None] = {}
    with (
        ScriptedServer(script) as server,
        open_mailbox(account(server.port), Onlooker(), CLOCK) as box,
    ):
        for answer in in_parts(box, [11, 12, 13], lambda uids: box.label(uids, "Newsletter")):
            outcome |= answer
    assert {uid: error and str(error) for uid, error in outcome.items()} == {
        11: None,
        12: "System Error",
        13: None,
    }


def test_flags_of_another_message_confirm_no_label() -> None:
    """A FETCH without a UID: 12 is a number in the folder, and not the UID that was asked for."""
    script = {
        b"UID STORE": b"* 12 FETCH (FLAGS (Newsletter))\r\nTAG OK done\r\n",
        b"UID FETCH": b"* 12 FETCH (FLAGS (Newsletter))\r\n* 1 FETCH (UID 12 FLAGS ())\r\nTAG OK done\r\n",
    }
    with (
        ScriptedServer(script) as server,
        open_mailbox(account(server.port), Onlooker(), CLOCK) as box,
    ):
        assert isinstance(box.label([12], "Newsletter")[12], errors.LabelNotConfirmed)


def test_a_server_that_wants_to_know_the_program_is_told_before_the_folder_is_opened() -> None:
    """As those of NetEase, which refuse SELECT otherwise."""
    server: ScriptedServer

    def select(_command: bytes) -> bytes:
        return SELECTED if server.commands(b"ID") else b"TAG NO SELECT Unsafe Login\r\n"

    offer = b"* CAPABILITY IMAP4rev1 ID\r\nTAG OK done\r\n"
    script = {b"CAPABILITY": offer, b"SELECT": select, b"ID": b"* ID NIL\r\nTAG OK done\r\n"}
    with (
        ScriptedServer(script) as server,
        open_mailbox(account(server.port), Onlooker(), CLOCK) as box,
    ):
        assert box.search(NOW - DAY) == [11]
        assert server.commands(b"ID") == [b'ID ("name" "triaged")']


@pytest.mark.parametrize("answer", [b"TAG NO not now\r\n", b"TAG BAD what\r\n"])
def test_a_server_that_does_not_take_an_introduction_is_used_all_the_same(answer: bytes) -> None:
    offer = b"* CAPABILITY IMAP4rev1 ID\r\nTAG OK done\r\n"
    with (
        ScriptedServer({b"CAPABILITY": offer, b"ID": answer}) as server,
        open_mailbox(account(server.port), Onlooker(), CLOCK) as box,
    ):
        assert box.search(NOW - DAY) == [11]
        assert server.commands(b"ID")


def test_a_server_that_speaks_the_newer_revision_only_is_used() -> None:
    script = {
        b"CAPABILITY": b"* CAPABILITY IMAP4rev2 AUTH=PLAIN\r\nTAG OK done\r\n",
        b"UID SEARCH": b'* ESEARCH (TAG "x") UID ALL 11:12\r\nTAG OK done\r\n',
    }
    with (
        ScriptedServer(script) as server,
        open_mailbox(account(server.port), Onlooker(), CLOCK) as box,
    ):
        assert box.search(NOW - DAY) == [11, 12]


SEARCHES = {
    "nothing": (b"", []),
    "an empty line": (b"* SEARCH\r\n", []),
    "zero for nothing": (b"* SEARCH 0\r\n", []),
    "one line": (b"* SEARCH 13 11 12\r\n", [11, 12, 13]),
    "blanks": (b"* SEARCH  11  12 13 \r\n", [11, 12, 13]),
    "several lines": (b"* SEARCH 11\r\n* 3 EXISTS\r\n* SEARCH 12 13\r\n", [11, 12, 13]),
    "the same twice": (b"* SEARCH 11 11 12\r\n* SEARCH 12\r\n", [11, 12]),
    "small letters": (b"* search 11 12\r\n", [11, 12]),
    "a sequence of changes": (b"* SEARCH 11 12 (MODSEQ 917162500)\r\n", [11, 12]),
    "as IMAP4rev2 has it": (b'* ESEARCH (TAG "x") UID ALL 11:13,20\r\n', [11, 12, 13, 20]),
    "IMAP4rev2 finds nothing": (b'* ESEARCH (TAG "x") UID\r\n', []),
    "backwards": (b'* ESEARCH (TAG "ALL 7") UID COUNT 2 ALL 12:11\r\n', [11, 12]),
    "flags in between": (b"* 1 FETCH (FLAGS (\\Seen))\r\n* SEARCH 11\r\n", [11]),
    "larger than any UID": (b"* SEARCH 11 99999999999\r\n", [11, 99999999999]),
}


@pytest.mark.requirement("S2")
@pytest.mark.parametrize("name", SEARCHES)
def test_what_a_search_finds_is_understood_in_each_way_of_saying_it(name: str) -> None:
    answer, uids = SEARCHES[name]
    with (
        ScriptedServer({b"UID SEARCH": answer + b"TAG OK done\r\n"}) as server,
        open_mailbox(account(server.port), Onlooker(), CLOCK) as box,
    ):
        assert box.search(NOW - DAY) == uids
        assert box.search(NOW - DAY) == uids


def test_a_search_that_finds_very_much_is_one_long_line() -> None:
    many = range(1_000_000_000, 1_000_200_000)
    line = b"* SEARCH " + b" ".join(map(b"%d".__mod__, many)) + b"\r\nTAG OK done\r\n"
    with (
        ScriptedServer({b"UID SEARCH": line}) as server,
        open_mailbox(account(server.port), Onlooker(), CLOCK) as box,
    ):
        assert box.search(NOW - DAY) == list(many)


@pytest.mark.parametrize(
    "line",
    [b"* SEARCH 11 twelve\r\n", b"* SEARCH " + b"9" * 5000 + b"\r\n", b"* ESEARCH UID ALL 1:2:3\r\n",
     b"* ESEARCH UID ALL 1:4294967295\r\n"],
)  # fmt: skip
def test_a_search_that_cannot_be_read_fails(line: bytes) -> None:
    with (
        ScriptedServer({b"UID SEARCH": line + b"TAG OK done\r\n"}) as server,
        open_mailbox(account(server.port), Onlooker(), CLOCK) as box,
        pytest.raises((errors.AnswerGarbled, errors.AnswerTooLong)),
    ):
        box.search(NOW - DAY)


# Labels and keywords


@pytest.mark.requirement("S2")
def test_a_category_becomes_a_keyword_that_stays(dovecot: Dovecot, ann: str) -> None:
    for number in range(3):
        dovecot.deliver(ann, {"Subject": str(number)}, at=NOW)
    one = account(dovecot.port, username=ann)
    with open_mailbox(one, Onlooker(), CLOCK) as box:
        uids = box.search(NOW - DAY)
        assert dict(box.label(uids[:2], "Needs Reply")) == {uids[0]: None, uids[1]: None}
        assert dict(box.label(uids[:1], "Needs Reply")) == {uids[0]: None}
    marked = [m.uid for m in all_of(one) if "Needs_Reply" in m.flags]
    assert marked == uids[:2]


def test_capitals_of_a_keyword_do_not_count(dovecot: Dovecot, ann: str) -> None:
    dovecot.deliver(ann, {"Subject": "x"}, at=NOW)
    with open_mailbox(account(dovecot.port, username=ann), Onlooker(), CLOCK) as box:
        uids = box.search(NOW - DAY)
        assert set(box.label(uids, "newsletter").values()) == {None}
        assert set(box.label(uids, "Newsletter").values()) == {None}


def test_a_known_keyword_may_be_set_where_new_ones_may_not() -> None:
    script = {
        b"SELECT": SELECTED.replace(b"(\\Seen \\*)", b"(\\Seen Newsletter)"),
        b"UID STORE": b"* 1 FETCH (FLAGS (newsletter) UID 1)\r\nTAG OK done\r\n",
    }
    with (
        ScriptedServer(script) as server,
        open_mailbox(account(server.port), Onlooker(), CLOCK) as box,
    ):
        assert dict(box.label([1], "Newsletter")) == {1: None}
        with pytest.raises(errors.KeywordsNotAllowed):
            box.label([1], "Other")
        assert server.commands(b"UID STORE") == [b"UID STORE 1 +FLAGS (Newsletter)"]


def test_ok_proves_nothing_when_a_keyword_is_dropped() -> None:
    script = {
        b"UID STORE": b"* 1 FETCH (FLAGS (Newsletter) UID 1)\r\nTAG OK done\r\n",
        b"UID FETCH": b"* 2 FETCH (FLAGS () UID 2)\r\nTAG OK done\r\n",
    }
    with (
        ScriptedServer(script) as server,
        open_mailbox(account(server.port), Onlooker(), CLOCK) as box,
    ):
        outcome = box.label([1, 2, 3], "Newsletter")
        assert server.commands(b"UID FETCH") == [b"UID FETCH 2,3 (FLAGS)"]
    assert outcome[1] is None
    assert isinstance(outcome[2], errors.LabelNotConfirmed)
    assert 3 not in outcome


@pytest.mark.requirement("S2")
def test_gmail_gets_labels_in_the_exact_bytes_of_its_extension() -> None:
    with GmailServer(11, 12, 13) as gmail:
        with open_mailbox(account(gmail.port), Onlooker(), CLOCK) as box:
            uids = box.search(datetime(2026, 11, 22, tzinfo=UTC))
            messages = box.fetch(uids).messages
            assert dict(box.label([11, 12], "Needs Reply")) == {11: None, 12: None}
            assert dict(box.label([13], "Übersicht")) == {13: None}
        assert gmail.unexpected == []
        assert gmail.commands(b"UID SEARCH") == [b'UID SEARCH X-GM-RAW "after:1795305540"']
        assert gmail.commands(b"UID STORE") == [
            b'UID STORE 11,12 +X-GM-LABELS ("Needs Reply")',
            b'UID STORE 13 +X-GM-LABELS ("&ANw-bersicht")',
        ]
    assert [m.gm_msgid for m in messages] == [1278455344230334865 + uid for uid in (11, 12, 13)]
    assert messages[0].flags == {"\\Inbox"}


@pytest.mark.parametrize("ignores", [False, True])
def test_labels_that_gmail_does_not_tell_are_asked_for(ignores: bool) -> None:
    with GmailServer(11) as gmail:
        gmail.silent, gmail.ignores_labels = True, ignores
        with open_mailbox(account(gmail.port), Onlooker(), CLOCK) as box:
            outcome = box.label([11], "Needs Reply")
        assert gmail.unexpected == []
    assert isinstance(outcome[11], errors.LabelNotConfirmed) == ignores


def test_keywords_may_be_chosen_on_gmail() -> None:
    with GmailServer(11) as gmail:
        gmail.script = {
            **gmail.script,
            b"UID STORE": b"* 1 FETCH (FLAGS (Needs_Reply) UID 11)\r\nTAG OK done\r\n",
        }
        with open_mailbox(account(gmail.port, label_as="keywords"), Onlooker(), CLOCK) as box:
            assert dict(box.label([11], "Needs Reply")) == {11: None}
        assert gmail.commands(b"UID STORE") == [b"UID STORE 11 +FLAGS (Needs_Reply)"]


def test_gmails_labels_are_not_asked_of_others() -> None:
    with ScriptedServer() as server, pytest.raises(errors.LabelsNotOffered) as caught:
        verify(account(server.port, label_as="gmail"), CLOCK)
    assert triaged(caught.value).category is Category.CONFIGURATION


# OAuth


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with TokenEndpoint() as endpoint:
        yield endpoint


def oauth(endpoint: TokenEndpoint) -> OAuth:
    return OAuth(
        token_url=endpoint.url,
        client_id="client-1",
        client_secret="secret-1",
        refresh_token=f"refresh-{endpoint.url}",
        scope="https://mail.google.com/",
    )


def logins(server: ScriptedServer) -> list[str]:
    """What was sent as XOAUTH2, decoded."""
    at = [n for n, line in enumerate(server.received) if line == b"AUTHENTICATE XOAUTH2"]
    return [base64.b64decode(server.received[n + 1]).decode() for n in at]


ACCEPTED = [b"+ \r\n", b"TAG OK in\r\n"]
CHALLENGE = base64.b64encode(
    b'{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}'
)
REFUSED = [
    b"+ \r\n",
    b"+ " + CHALLENGE + b"\r\n",
    b"TAG NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n",
]
EXCHANGE_REFUSED = [b"+ \r\n", b"TAG NO AUTHENTICATE failed.\r\n"]


class OAuthServer(ScriptedServer):
    """Takes each answer to AUTHENTICATE in turn."""

    def __init__(self, *answers: list[bytes]) -> None:
        super().__init__()
        self.script = _InTurn(self.script, list(answers))


class _InTurn(dict[bytes, object]):
    def __init__(self, script: object, answers: list[list[bytes]]) -> None:
        super().__init__(script)  # type: ignore[call-overload]
        self[b"AUTHENTICATE"] = b""
        self._answers = answers

    def __getitem__(self, key: bytes) -> object:
        if key != b"AUTHENTICATE":
            return super().__getitem__(key)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def test_an_access_token_is_fetched_once_for_many_runs(endpoint: TokenEndpoint) -> None:
    with OAuthServer(ACCEPTED) as server:
        for _ in range(3):
            verify(account(server.port, credentials=oauth(endpoint)), CLOCK)
        assert logins(server) == ["user=ann\1auth=Bearer access-1\1\1"] * 3
    assert endpoint.forms == [
        {
            "grant_type": "refresh_token",
            "client_id": "client-1",
            "client_secret": "secret-1",
            "refresh_token": f"refresh-{endpoint.url}",
            "scope": "https://mail.google.com/",
        }
    ]


@pytest.mark.parametrize("refused", [REFUSED, EXCHANGE_REFUSED])
def test_a_refused_token_is_renewed_and_tried_once_more(
    endpoint: TokenEndpoint, refused: list[bytes]
) -> None:
    with OAuthServer(refused, ACCEPTED) as server:
        verify(account(server.port, credentials=oauth(endpoint)), CLOCK)
        assert [line.split("Bearer ")[1].strip("\1") for line in logins(server)] == [
            "access-1",
            "access-2",
        ]


def test_a_token_endpoint_that_answers_without_end_is_not_listened_to(
    endpoint: TokenEndpoint,
) -> None:
    """It promises a gigabyte, and sends so much that it is clear that it means it."""
    endpoint.answer = {"access_token": "x" * 70_000}
    endpoint.headers = {"Content-Length": str(10**9)}
    with OAuthServer(ACCEPTED) as server, pytest.raises(errors.TokenRefused, match="too long"):
        verify(account(server.port, credentials=oauth(endpoint)), CLOCK)


@pytest.mark.parametrize("refused", [REFUSED, EXCHANGE_REFUSED])
def test_a_token_refused_twice_is_an_authentication_failure(
    endpoint: TokenEndpoint, refused: list[bytes]
) -> None:
    with OAuthServer(refused) as server:
        with pytest.raises(errors.TokenLoginRefused) as caught:
            verify(account(server.port, credentials=oauth(endpoint)), CLOCK)
        assert len(logins(server)) == 2
    found = triaged(caught.value)
    assert (found.category, found.retryable) == (Category.AUTHENTICATION, False)
    assert "token" in found.user_message
    assert "access-" not in f"{found.message} {found.full_text}"


def test_a_limit_is_no_reason_to_renew_a_token(endpoint: TokenEndpoint) -> None:
    with OAuthServer([b"+ \r\n", b"TAG NO [LIMIT] Too many logins\r\n"]) as server:
        with pytest.raises(errors.LoginRefused) as caught:
            verify(account(server.port, credentials=oauth(endpoint)), CLOCK)
        assert len(logins(server)) == 1
    assert triaged(caught.value).category is Category.RATE_LIMIT


def test_a_session_that_ends_with_its_token_goes_on_with_a_new_one(endpoint: TokenEndpoint) -> None:
    with OAuthServer(ACCEPTED) as server:
        one = account(server.port, credentials=oauth(endpoint))
        with open_mailbox(one, Onlooker(), CLOCK) as box:
            healthy = server.script[b"UID SEARCH"]
            ends = b"* BYE Session invalidated - AccessTokenExpired\r\n"

            def once(command: bytes) -> bytes:
                server.script[b"UID SEARCH"] = healthy  # type: ignore[index]
                return ends

            server.script[b"UID SEARCH"] = once  # type: ignore[index]
            assert box.search(NOW - DAY) == [11]
        assert len(endpoint.forms) == 2


def token_of(
    tokens: AccessTokens, endpoint: TokenEndpoint, clock: Clock, watchdog: Watchdog
) -> str:
    credentials = oauth(endpoint)
    return tokens.token(account(993, credentials=credentials), credentials, clock, watchdog)


class Kept:
    """The refresh tokens that are kept of an account."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)

    def latest(self, oauth: OAuth) -> str | None:
        return self.tokens[-1] if self.tokens else None

    def keep(self, source: str, oauth: OAuth, token: str) -> None:
        self.tokens.append(token)


def test_a_refresh_token_that_comes_anew_is_kept_and_used_by_the_next_process(
    endpoint: TokenEndpoint,
) -> None:
    kept, credentials = Kept(), oauth(endpoint)
    mailbox = msgspec.structs.replace(account(993, credentials=credentials), renewals=kept)
    endpoint.answer = {"access_token": "a", "expires_in": 10, "refresh_token": "newer"}
    with Watchdog(Onlooker(), CLOCK, 60) as watchdog:
        AccessTokens().token(mailbox, credentials, CLOCK, watchdog)
        AccessTokens().token(mailbox, credentials, CLOCK, watchdog)
    sent = [form["refresh_token"] for form in endpoint.forms]
    assert sent == [credentials.refresh_token, "newer"]
    assert kept.tokens == ["newer"]


def test_a_kept_refresh_token_that_is_refused_gives_way_to_the_one_that_was_given(
    endpoint: TokenEndpoint,
) -> None:
    """As after the store was restored from a backup, or a person renewed the same token."""
    kept, credentials = Kept("old"), oauth(endpoint)
    mailbox = msgspec.structs.replace(account(993, credentials=credentials), renewals=kept)
    endpoint.status, endpoint.answer = 400, {"error": "invalid_grant"}
    with Watchdog(Onlooker(), CLOCK, 60) as watchdog, pytest.raises(errors.TokenRefused):
        AccessTokens().token(mailbox, credentials, CLOCK, watchdog)
    sent = [form["refresh_token"] for form in endpoint.forms]
    assert sent == ["old", credentials.refresh_token]


def test_a_token_is_renewed_shortly_before_it_ends(endpoint: TokenEndpoint) -> None:
    clock, tokens = FakeClock(), AccessTokens()
    with Watchdog(Onlooker(), clock, 1e6) as watchdog:
        first = token_of(tokens, endpoint, clock, watchdog)
        clock.advance(3600 - 61)
        assert token_of(tokens, endpoint, clock, watchdog) == first
        clock.advance(2)
        assert token_of(tokens, endpoint, clock, watchdog) != first


def test_a_new_refresh_token_is_used_from_then_on(endpoint: TokenEndpoint) -> None:
    endpoint.answer = {"access_token": "a", "expires_in": 10, "refresh_token": "newer"}
    tokens = AccessTokens()
    with Watchdog(Onlooker(), CLOCK, 60) as watchdog:
        token_of(tokens, endpoint, CLOCK, watchdog)
        token_of(tokens, endpoint, CLOCK, watchdog)
    assert [form["refresh_token"] for form in endpoint.forms][1] == "newer"


@pytest.mark.parametrize(
    ("status", "answer", "category", "retried"),
    [
        (400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
         Category.AUTHENTICATION, False),
        (401, {"error": "invalid_client", "error_description": "The OAuth client was not found."},
         Category.AUTHENTICATION, False),
        (429, {"error": "slow_down"}, Category.RATE_LIMIT, True),
        (503, {"error": "temporarily_unavailable"}, Category.SERVICE_UNAVAILABLE, True),
    ],
)  # fmt: skip
def test_what_the_token_endpoint_says_is_understood(
    endpoint: TokenEndpoint, status: int, answer: dict[str, str], category: Category, retried: bool
) -> None:
    endpoint.status, endpoint.answer = status, answer
    endpoint.headers = {"Retry-After": "17"} if status == 429 else {}
    with OAuthServer(ACCEPTED) as server, pytest.raises(errors.TokenRefused) as caught:
        verify(account(server.port, credentials=oauth(endpoint)), CLOCK)
    found = triaged(caught.value)
    assert (found.category, found.retryable) == (category, retried), found
    assert found.retry_after == (17 if status == 429 else None)
    assert "secret-1" not in f"{found.message} {found.full_text}"
    assert "refresh-" not in f"{found.message} {found.full_text}"


def test_a_token_endpoint_out_of_reach_is_a_connection_failure() -> None:
    with TokenEndpoint() as gone:
        credentials = oauth(gone)
    with OAuthServer(ACCEPTED) as server, pytest.raises(Exception) as caught:  # noqa: PT011
        verify(account(server.port, credentials=credentials), CLOCK)
    found = triaged(caught.value)
    assert (found.category, found.retryable) == (Category.CONNECTION, True)


def test_a_token_endpoint_that_trickles_does_not_get_past_the_deadline(
    endpoint: TokenEndpoint,
) -> None:
    endpoint.trickles = True
    with OAuthServer(ACCEPTED) as server:
        one = account(server.port, credentials=oauth(endpoint), deadline=1.5, timeout=5.0)
        with pytest.raises(errors.DeadlinePassed):
            verify(one, CLOCK)


def test_a_secret_is_not_sent_over_plain_http_to_another_machine() -> None:
    far = OAuth(
        token_url="http://tokens.example.com/token",
        client_id="c",
        client_secret=None,
        refresh_token="r",
        scope=None,
    )
    with ScriptedServer() as server, pytest.raises(errors.SettingMistaken) as caught:
        verify(account(server.port, credentials=far), CLOCK)
    assert triaged(caught.value).category is Category.CONFIGURATION


def test_oauth_is_not_tried_where_it_is_not_offered(endpoint: TokenEndpoint) -> None:
    script = {b"CAPABILITY": CAPABILITY.replace(b" AUTH=XOAUTH2", b"")}
    with ScriptedServer(script) as server, pytest.raises(errors.LoginNotOffered) as caught:
        verify(account(server.port, credentials=oauth(endpoint)), CLOCK)
    assert triaged(caught.value).category is Category.CONFIGURATION


# Secrets


@pytest.mark.requirement("F6")
def test_nothing_secret_reaches_the_log(
    dovecot: Dovecot, ann: str, endpoint: TokenEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    dovecot.deliver(ann, {"From": "bob@example.com"}, at=NOW)
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(("imap", "http")):
            caplog.set_level(logging.DEBUG, name)
    all_of(account(dovecot.port, username=ann))
    with OAuthServer(ACCEPTED) as server:
        verify(account(server.port, credentials=oauth(endpoint)), CLOCK)
    said = caplog.text
    for secret in (PASSWORD, "access-1", "refresh-", "secret-1", "bob@example.com"):
        assert secret not in said


def test_neither_credentials_nor_accounts_show_their_secrets(endpoint: TokenEndpoint) -> None:
    shown = f"{account(1)!r} {account(1, credentials=oauth(endpoint))!r} {Password('hidden')}"
    for secret in (PASSWORD, "secret-1", "refresh-", "hidden"):
        assert secret not in shown


if os.environ.get("TRIAGED_TEST_GMAIL_USER"):

    def test_a_label_on_the_real_gmail_is_confirmed() -> None:
        """Opt-in: TRIAGED_TEST_GMAIL_USER, TRIAGED_TEST_GMAIL_PASSWORD (an app password).

        Labels the newest message of the last week in INBOX "triaged-test".
        """
        one = account(
            993,
            host="imap.gmail.com",
            tls="implicit",
            username=os.environ["TRIAGED_TEST_GMAIL_USER"],
            password=os.environ["TRIAGED_TEST_GMAIL_PASSWORD"],
        )
        with open_mailbox(one, Onlooker(), CLOCK) as box:
            newest = box.search(NOW - 7 * DAY)[-1:]
            assert newest, "there has to be a message of the last week"
            assert box.fetch(newest).messages[0].gm_msgid
            assert dict(box.label(newest, "triaged-test")) == {newest[0]: None}
