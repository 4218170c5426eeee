"""What a server said, out of what imaplib raises, and how labels become keywords."""

from __future__ import annotations

import imaplib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from imapclient.exceptions import LoginError
from imapclient.imap_utf7 import decode

from daemon.pipelines.mail import errors, replies
from daemon.pipelines.mail.faults import fault
from daemon.pipelines.mail.labels import keyword
from daemon.triage import describe


@pytest.mark.parametrize(
    ("raised", "text", "code"),
    [
        (
            "b'[AUTHENTICATIONFAILED] Invalid credentials (Failure)'",
            "[AUTHENTICATIONFAILED] Invalid credentials (Failure)",
            "AUTHENTICATIONFAILED",
        ),
        ('b"it\'s over"', "it's over", None),
        ("select failed: [NONEXISTENT] Unknown Mailbox: x", "[NONEXISTENT] Unknown Mailbox: x",
         "NONEXISTENT"),
        ("SELECT command error: BAD [b'User is authenticated but not connected.']",
         "BAD User is authenticated but not connected.", None),
        ("command: LOGIN => socket error: EOF", "socket error: EOF", None),
        ("b'* BYE [UNAVAILABLE] Later'", "[UNAVAILABLE] Later", "UNAVAILABLE"),
        ("b'[ALERT] Too many simultaneous connections. (Failure)'",
         "[ALERT] Too many simultaneous connections. (Failure)", None),
        ("Mailbox doesn't exist: [Gmail]/All (0.001 + 0.000 secs).",
         "Mailbox doesn't exist: [Gmail]/All", None),
    ],
)  # fmt: skip
def test_the_servers_own_words_are_found(raised: str, text: str, code: str | None) -> None:
    reply = replies.read(imaplib.IMAP4.error(raised))
    assert (reply.text, reply.code) == (text, code)


def test_a_link_that_signs_in_is_cut_off() -> None:
    note = "[WEBALERT https://accounts.example.com/c?plt=SECRET#x] Web login required."
    error = imaplib.IMAP4.error("b'[ALERT] Log in: https://accounts.example.com/c?plt=SECRET (F)'")
    reply = replies.read(error, [note])
    assert reply.text == (
        "[ALERT] Log in: https://accounts.example.com/c (F); [WEBALERT] Web login required."
    )
    assert reply.code == "WEBALERT"


def test_notes_are_warnings_and_goodbyes_only() -> None:
    untagged = {
        "OK": [b"[ALERT] Read this", b"Still here"],
        "NO": [b"[WEBALERT x] y"],
        "BYE": [b"bye"],
        "EXISTS": [b"4"],
    }
    assert replies.notes_of(untagged) == ["[WEBALERT x] y", "bye", "[ALERT] Read this"]


@settings(deadline=None)
@example("b'\xe9'")
@example("b'\\q'")
@example("b'\x00'")
@given(st.text(max_size=300))
def test_whatever_a_server_says_is_read(text: str) -> None:
    for error in (imaplib.IMAP4.error(text), imaplib.IMAP4.error(repr(text.encode()))):
        reply = replies.read(error)
        assert len(reply.text) <= replies.LONGEST


def test_a_login_error_over_a_lost_connection_is_a_lost_connection() -> None:
    def log_in() -> None:
        try:
            raise imaplib.IMAP4.abort("socket error: EOF")
        except imaplib.IMAP4.error as error:
            raise LoginError(str(error))  # noqa: B904 - as IMAPClient does

    with pytest.raises(LoginError) as caught:
        log_in()
    assert isinstance(fault(caught.value, errors.LoginRefused, []), errors.ConnectionLost)


def test_what_a_message_says_stays_out_of_errors() -> None:
    raised = [
        imaplib.IMAP4.abort("socket error: unterminated line: b'Subject: a secret'"),
        imaplib.IMAP4.abort("unexpected response: b'Subject: a secret'"),
        ValueError("Subject: a secret"),
    ]
    for error in raised:
        assert "secret" not in str(fault(error, errors.ReadRefused, []))


def test_the_code_and_the_pause_of_a_server_are_facts() -> None:
    error = errors.LoginRefused("no", imap_code="LIMIT", retry_after=3.5)
    assert (describe(error).imap_code, describe(error).retry_after) == ("LIMIT", 3.5)
    wrapper = RuntimeError("the run failed")
    wrapper.__cause__ = error
    assert describe(wrapper).imap_code == "LIMIT"


def test_the_deadline_is_a_timeout_too() -> None:
    assert "TimeoutError" in describe(errors.DeadlinePassed("late")).exception_bases
    assert describe(errors.DeadlinePassed("late")).message == "late"


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("Newsletter", "Newsletter"),
        ("Needs Reply", "Needs_Reply"),
        ("Übersicht", "&ANw-bersicht"),
        ("a&b", "a&-b"),
        ("\\Seen", "_Seen"),
        ('a[b]*%(c){d}"e', "a_b____c__d__e"),
    ],
)
def test_a_label_becomes_a_keyword_by_one_rule(label: str, written: str) -> None:
    assert keyword(label) == written


@given(st.text(min_size=1, max_size=60))
def test_a_keyword_is_an_atom(label: str) -> None:
    written = keyword(label)
    assert written
    assert not set(written) & set('(){}%*"\\[] ')
    assert written.isascii()
    assert written.isprintable()


@given(st.text(st.characters(min_codepoint=0xA0, max_codepoint=0xD7FF), min_size=1, max_size=40))
def test_letters_beyond_ascii_can_be_read_back(label: str) -> None:
    assert decode(keyword(label).encode()) == label
