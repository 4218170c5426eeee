"""Every fault of a mail account: its category, whether it is tried again, and advice that fits.

Dovecot cannot be made to give the answers of other providers: a scripted server says them word by word.
Nothing here ever spoke to a provider.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from daemon.clock import SystemClock
from daemon.pipelines.mail import errors
from daemon.pipelines.mail.account import MailAccount
from daemon.pipelines.mail.connect import MOST_BYTES
from daemon.pipelines.mail.session import open_mailbox, verify
from daemon.taxonomy import Category, RetryStrategy
from tests.integration.mail_support import Onlooker, account, triaged
from tests.support.dovecot import DOVECOT, Dovecot
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.product import free_port
from tests.support.scripted_imap import CAPABILITY, Answer, ScriptedServer

C = Category
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    if DOVECOT is None:
        pytest.skip("dovecot is not installed")
    server = Dovecot()
    server.account("ann")
    for number in range(5):
        server.deliver("ann", {"From": "bob@example.com", "Subject": f"No {number}"}, at=NOW)
    server.start()
    yield server
    server.stop()


def failure_of(one: MailAccount) -> BaseException:
    """What processing the account fails with: search, fetch and label, as a run does."""
    try:
        with open_mailbox(one, Onlooker(), SystemClock()) as box:
            uids = box.search(NOW - timedelta(hours=1))
            box.fetch(uids)
            problems = [problem for problem in box.label(uids, "Newsletter").values() if problem]
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    assert problems, "nothing failed"
    return problems[0]


class Reply(NamedTuple):
    """One answer of a server, and what triaged makes of it."""

    script: Mapping[bytes, Answer]
    category: Category
    retried: bool
    advice: str
    """A word of the advice, or of what is shown."""


def refused(command: bytes, text: bytes) -> dict[bytes, Answer]:
    return {command: b"TAG NO " + text + b"\r\n"}


LOGIN, SELECT, SEARCH, STORE = b"LOGIN", b"SELECT", b"UID SEARCH", b"UID STORE"
FETCHED = (
    b'* 1 FETCH (UID 11 INTERNALDATE "22-Nov-2026 10:00:00 +0000" RFC822.SIZE 1 FLAGS ()'
    b" BODY[HEADER.FIELDS (FROM)] {2}\r\n\r\n)\r\nTAG OK done\r\n"
)
READ = {b"UID FETCH": FETCHED}
WEB_LOGIN = (
    b"* NO [WEBALERT https://accounts.google.com/signin/continue?sarp=1&scc=1&plt=AKgnsbtSECRET]"
    b" Web login required.\r\n"
    b"TAG NO [ALERT] Please log in via your web browser: "
    b"https://support.google.com/mail/accounts/answer/78754 (Failure)\r\n"
)

REPLIES = {
    # Gmail
    "gmail password": Reply(
        refused(LOGIN, b"[AUTHENTICATIONFAILED] Invalid credentials (Failure)"),
        C.AUTHENTICATION, False, "app password",
    ),
    "gmail app password": Reply(
        refused(
            LOGIN,
            b"[ALERT] Application-specific password required: "
            b"https://support.google.com/accounts/answer/185833 (Failure)",
        ),
        C.AUTHENTICATION, False, "app password",
    ),
    "gmail web login": Reply({LOGIN: WEB_LOGIN}, C.AUTHENTICATION, False, "browser"),
    "gmail imap off": Reply(
        refused(LOGIN, b"[ALERT] Your account is not enabled for IMAP use. (Failure)"),
        C.CONFIGURATION, False, "IMAP",
    ),
    "gmail imap off for domain": Reply(
        refused(LOGIN, b"[ALERT] IMAP access is disabled for your domain. (Failure)"),
        C.CONFIGURATION, False, "IMAP",
    ),
    "gmail connections": Reply(
        refused(LOGIN, b"[ALERT] Too many simultaneous connections. (Failure)"),
        C.RATE_LIMIT, True, "15 connections",
    ),
    "gmail bandwidth": Reply(
        refused(SELECT, b"[OVERQUOTA] Account exceeded command or bandwidth limits. abc (Failure)"),
        C.RATE_LIMIT, True, "later each time",
    ),
    "gmail bandwidth at search": Reply(
        refused(SEARCH, b"[OVERQUOTA] Account exceeded limits."),
        C.RATE_LIMIT, True, "hours",
    ),
    # Exchange
    "exchange password": Reply(refused(LOGIN, b"LOGIN failed."), C.AUTHENTICATION, False, "OAuth"),
    "exchange not connected": Reply(
        {SELECT: b"TAG BAD User is authenticated but not connected.\r\n"},
        C.PERMISSION, False, "owner",
    ),
    "exchange throttled": Reply(
        refused(SEARCH, b"Request is throttled. Suggested Backoff Time: 92415 milliseconds"),
        C.RATE_LIMIT, True, "interval",
    ),
    "exchange down": Reply(
        refused(LOGIN, b"Server Unavailable. 15"), C.SERVICE_UNAVAILABLE, True, "status page",
    ),
    "exchange token ends": Reply(
        {SEARCH: b"* BYE Session invalidated - AccessTokenExpired\r\n"},
        C.CONNECTION, True, "token",
    ),
    # Yahoo
    "yahoo password": Reply(
        refused(LOGIN, b"[AUTHENTICATIONFAILED] LOGIN Invalid credentials"),
        C.AUTHENTICATION, False, "app password",
    ),
    "yahoo rate": Reply(
        refused(LOGIN, b"[LIMIT] LOGIN Rate limit hit."), C.RATE_LIMIT, True, "logins",
    ),
    "yahoo down": Reply(
        refused(LOGIN, b"[UNAVAILABLE] LOGIN failure. Server error"),
        C.SERVICE_UNAVAILABLE, True, "status page",
    ),
    # Dovecot
    "dovecot connections": Reply(
        refused(LOGIN, b"[LIMIT] Maximum number of connections from user+IP exceeded"),
        C.RATE_LIMIT, True, "connections",
    ),
    "dovecot contact": Reply(
        refused(LOGIN, b"[CONTACTADMIN] Account is disabled."), C.PERMISSION, False, "administrator",
    ),
    "dovecot privacy": Reply(
        refused(LOGIN, b"[PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure connections."),
        C.CONFIGURATION, False, "encryption",
    ),
    "dovecot auth down": Reply(
        refused(LOGIN, b"[UNAVAILABLE] Temporary authentication failure."),
        C.SERVICE_UNAVAILABLE, True, "again",
    ),
    "dovecot shuts down": Reply(
        {SEARCH: b"* BYE Server shutting down.\r\n"}, C.SERVICE_UNAVAILABLE, True, "again",
    ),
    # Cyrus
    "cyrus password": Reply(
        refused(LOGIN, b"Login failed: authentication failure"), C.AUTHENTICATION, False, "password",
    ),
    "cyrus connections": Reply(
        refused(LOGIN, b"Too many open connections"), C.RATE_LIMIT, True, "connected",
    ),
    # Codes in their phases
    "expired": Reply(refused(LOGIN, b"[EXPIRED] Too old"), C.AUTHENTICATION, False, "password"),
    "login disabled": Reply(
        {b"CAPABILITY": CAPABILITY.replace(b"IMAP4rev1", b"IMAP4rev1 LOGINDISABLED")},
        C.CONFIGURATION, False, "encryption",
    ),
    "no such folder": Reply(
        refused(SELECT, b"[NONEXISTENT] Unknown Mailbox: Nope"), C.CONFIGURATION, False, "folder",
    ),
    "no such folder, no code": Reply(
        refused(SELECT, b"Mailbox doesn't exist: Nope (0.001 + 0.000 secs)."),
        C.CONFIGURATION, False, "folder",
    ),
    "not for this login": Reply(
        refused(LOGIN, b"[AUTHORIZATIONFAILED] No such authorization-ID"), C.PERMISSION, False, "right",
    ),
    "no right to the folder": Reply(
        refused(SELECT, b"[NOPERM] Access denied"), C.PERMISSION, False, "right",
    ),
    "read-only": Reply(
        {SELECT: b"* OK [UIDVALIDITY 7] ok\r\nTAG OK [READ-ONLY] done\r\n"},
        C.PERMISSION, False, "read-only",
    ),
    "becomes read-only": Reply(
        {SEARCH: b"* SEARCH 11\r\n* OK [READ-ONLY] sorry\r\nTAG OK done\r\n", **READ},
        C.PERMISSION, False, "read-only",
    ),
    "in use": Reply(
        refused(SELECT, b"[INUSE] Mailbox in use"), C.SERVICE_UNAVAILABLE, True, "again",
    ),
    "server bug": Reply(
        refused(SEARCH, b"[SERVERBUG] Internal error occurred."), C.SERVICE_UNAVAILABLE, True, "again",
    ),
    "corruption": Reply(
        refused(SEARCH, b"[CORRUPTION] Mailbox index is corrupted"), C.SERVICE_UNAVAILABLE, True, "again",
    ),
    "limit at store": Reply(
        {**refused(STORE, b"[LIMIT] Too many keywords"), **READ}, C.WRITE_FAILURE, False, "keywords",
    ),
    "quota at store": Reply(
        {**refused(STORE, b"[OVERQUOTA] Quota exceeded"), **READ}, C.WRITE_FAILURE, False, "full",
    ),
    "store refused": Reply(
        {**refused(STORE, b"something else"), **READ}, C.WRITE_FAILURE, False, "label",
    ),
    "label not confirmed": Reply(
        {STORE: b"TAG OK done\r\n", **READ}, C.WRITE_FAILURE, False, "label",
    ),
    "keywords not allowed": Reply(
        {
            SELECT: b"* OK [UIDVALIDITY 7] ok\r\n* OK [PERMANENTFLAGS (\\Seen)] ok\r\n"
            b"TAG OK [READ-WRITE] done\r\n",
            **READ,
        },
        C.PERMISSION, False, "keywords",
    ),
    "folder cannot be": Reply(
        refused(SELECT, b"[CANNOT] Character not allowed in mailbox name: '.'"),
        C.CONFIGURATION, False, "`folder`",
    ),
    "cannot": Reply(refused(SEARCH, b"[CANNOT] Never"), C.REJECTED, False, "server says"),
    "client bug": Reply(refused(SEARCH, b"[CLIENTBUG] Oops"), C.REJECTED, False, "server says"),
    "bad": Reply({SEARCH: b"TAG BAD Could not parse command\r\n"}, C.REJECTED, False, "server says"),
    "bad without words": Reply({SEARCH: b"TAG BAD Hmpf\r\n"}, C.REJECTED, False, "server"),
    "no without words": Reply(refused(LOGIN, b"Hmpf"), C.AUTHENTICATION, False, "password"),
    "lost at login": Reply({LOGIN: b"* BYE Autologout\r\n"}, C.CONNECTION, True, "again"),
    "garbage at search": Reply(
        {SEARCH: b"\x01\x02 nonsense from ann@example.com\r\n"}, C.CONNECTION, True, "again",
    ),
}  # fmt: skip


@pytest.mark.requirement("S2", "F4")
@pytest.mark.parametrize("name", REPLIES)
def test_what_a_server_says_is_understood(name: str) -> None:
    reply = REPLIES[name]
    with ScriptedServer(reply.script) as server:
        error = failure_of(account(server.port))
    found = triaged(error)
    assert (found.category, found.retryable) == (reply.category, reply.retried), found
    assert reply.advice in f"{found.user_message} {found.suggested_action}", found
    assert "SECRET" not in f"{found.message} {found.full_text}"
    assert "ann@example.com" not in f"{found.message} {found.full_text}"


@pytest.mark.parametrize(
    ("greeting", "category", "retried"),
    [
        (b"* BYE Server shutting down.\r\n", C.SERVICE_UNAVAILABLE, True),
        (b"* BYE [UNAVAILABLE] Try later\r\n", C.SERVICE_UNAVAILABLE, True),
        (b"* BYE Too many connections from your address\r\n", C.RATE_LIMIT, True),
        (b"* BYE Hmpf\r\n", C.CONNECTION, True),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", C.CONNECTION, False),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", C.CONNECTION, False),
    ],
)
def test_what_greets_in_place_of_imap_is_understood(
    greeting: bytes, category: Category, retried: bool
) -> None:
    with FaultProxy(0, Fault("close", greeting=greeting)) as proxy:
        found = triaged(failure_of(account(proxy.port)))
    assert (found.category, found.retryable) == (category, retried), found


def test_a_suggested_pause_is_kept_to() -> None:
    script = REPLIES["exchange throttled"].script
    with ScriptedServer(script) as server:
        found = triaged(failure_of(account(server.port)))
    assert found.retry_after == 92.415


def test_a_login_that_the_connection_died_in_is_no_refused_login() -> None:
    with ScriptedServer({LOGIN: b"* BYE disconnected for inactivity\r\n"}) as server:
        error = failure_of(account(server.port))
    assert isinstance(error, errors.ConnectionLost)
    assert triaged(error).category is C.CONNECTION


def test_a_password_is_not_sent_where_logins_are_disabled() -> None:
    with ScriptedServer(REPLIES["login disabled"].script) as server:
        failure_of(account(server.port))
        assert server.commands(b"LOGIN") == []


@pytest.mark.requirement("F6")
@pytest.mark.parametrize("command", [LOGIN, SELECT])
def test_a_secret_that_the_server_repeats_is_in_no_error(command: bytes) -> None:
    """In words that no mask knows for those of a password."""
    with ScriptedServer(refused(command, b"ann and zebra77 do not go together")) as server:
        error = failure_of(account(server.port, password="zebra77"))
    found = triaged(error)
    assert "do not go together" in found.message
    assert "zebra77" not in f"{error}{found.message}{found.full_text}{error!r}{error.__context__}"


# What breaks on the way, with a real server behind it.

BROKEN = {
    "silence": (Fault("hang"), C.CONNECTION, TimeoutError),
    "closed before the greeting": (Fault("close"), C.CONNECTION, errors.ConnectionLost),
    "reset at once": (Fault("reset"), C.CONNECTION, ConnectionResetError),
    "closed after LOGIN": (Fault("close", b"LOGIN"), C.CONNECTION, errors.ConnectionLost),
    "closed amid FETCH": (Fault("close", b"FETCH", 150), C.CONNECTION, errors.ConnectionLost),
    "cut in a literal": (Fault("close", b"FETCH", 100), C.CONNECTION, errors.ConnectionLost),
    "reset amid FETCH": (Fault("reset", b"FETCH", 150), C.CONNECTION, ConnectionResetError),
    "silent amid FETCH": (Fault("hang", b"FETCH", 150), C.CONNECTION, TimeoutError),
    "closed after STORE": (Fault("close", b"STORE"), C.CONNECTION, errors.ConnectionLost),
    "garbage amid FETCH": (Fault("garbage", b"FETCH", 0), C.CONNECTION, errors.OutOfStep),
}


@pytest.mark.requirement("S2", "F4", "F5")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_connection_is_tried_again(dovecot: Dovecot, name: str) -> None:
    fault, category, kind = BROKEN[name]
    with FaultProxy(dovecot.port, fault) as proxy:
        # Only silence has to be waited out; a busy machine is not to be taken for it.
        timeout = 0.5 if fault.then == "hang" else 10.0
        error = failure_of(account(proxy.port, timeout=timeout))
    found = triaged(error)
    assert isinstance(error, kind)
    assert (found.category, found.retryable) == (category, True), found
    assert found.strategy is RetryStrategy.EXPONENTIAL_JITTER
    assert "Subject" not in f"{found.message} {found.full_text}"


def test_nobody_listening_is_a_connection_failure() -> None:
    error = failure_of(account(free_port()))
    assert isinstance(error, ConnectionRefusedError)
    assert triaged(error).category is C.CONNECTION
    assert triaged(error).retryable


def test_a_host_that_does_not_exist_is_not_tried_again() -> None:
    found = triaged(failure_of(account(993, host="imap.invalid")))
    assert (found.category, found.retryable) == (C.CONNECTION, False)


def test_a_host_that_cannot_be_one_is_a_matter_of_settings() -> None:
    found = triaged(failure_of(account(993, host="imap..example.com")))
    assert (found.category, found.retryable) == (C.CONFIGURATION, False)


def test_plaintext_to_a_tls_port_ends_with_the_timeout(dovecot: Dovecot) -> None:
    found = triaged(failure_of(account(dovecot.tls_port, timeout=0.5)))
    assert (found.category, found.retryable) == (C.CONNECTION, True)


def test_tls_to_a_plain_port_is_a_matter_of_settings(dovecot: Dovecot) -> None:
    found = triaged(failure_of(account(dovecot.port, tls="implicit")))
    assert (found.category, found.retryable) == (C.CONNECTION, False)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(dovecot: Dovecot, tls: str) -> None:
    port = dovecot.tls_port if tls == "implicit" else dovecot.port
    found = triaged(failure_of(account(port, tls=tls)))
    assert (found.category, found.retryable) == (C.CONNECTION, False)
    assert "certificate" in found.user_message


@pytest.mark.requirement("S2")
def test_a_server_that_asks_for_a_client_certificate_is_told_as_that(dovecot: Dovecot) -> None:
    made = dovecot.certificates
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    context.load_verify_locations(made.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client, contextlib.suppress(OSError):
                context.wrap_socket(client, server_side=True)

        server = threading.Thread(target=serve)
        server.start()
        port = listener.getsockname()[1]
        found = triaged(
            failure_of(account(port, tls="implicit", ca_file=str(made.authority), timeout=30.0))
        )
        server.join()
    assert (found.category, found.retryable) == (C.CONNECTION, False), found
    assert "client certificate" in found.user_message


def test_starttls_that_is_not_offered_is_never_done_without() -> None:
    with ScriptedServer() as server:
        found = triaged(failure_of(account(server.port, tls="starttls")))
        assert server.commands(b"LOGIN") == []
    assert (found.category, found.retryable) == (C.CONFIGURATION, False)


def test_authorities_that_cannot_be_read_are_a_matter_of_settings(dovecot: Dovecot) -> None:
    found = triaged(failure_of(account(dovecot.port, tls="starttls", ca_file="/no/such/file")))
    assert (found.category, found.retryable) == (C.CONFIGURATION, False), found


@pytest.mark.requirement("S2")
@pytest.mark.parametrize(
    ("after", "passing"), [(b"", 0), (b"LOGIN", 0), (b"FETCH", 0), (b"FETCH", 210)]
)
def test_a_byte_every_half_second_does_not_get_past_the_deadline(
    dovecot: Dovecot, after: bytes, passing: int
) -> None:
    with FaultProxy(dovecot.port, Fault("trickle", after, passing)) as proxy:
        error = failure_of(account(proxy.port, timeout=5.0, deadline=1.5))
    found = triaged(error)
    assert isinstance(error, errors.DeadlinePassed)
    assert isinstance(error, TimeoutError)
    assert (found.category, found.retryable) == (C.RESOURCE, True), found
    assert "deadline" in found.suggested_action
    assert "Subject" not in f"{found.message} {found.full_text}"


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_the_deadline_reaches_into_the_tls_handshake(dovecot: Dovecot, tls: str) -> None:
    port = dovecot.tls_port if tls == "implicit" else dovecot.port
    after = b"" if tls == "implicit" else b"STARTTLS"
    authority = str(dovecot.certificates.authority)
    with FaultProxy(port, Fault("trickle", after)) as proxy:
        error = failure_of(
            account(proxy.port, tls=tls, ca_file=authority, timeout=5.0, deadline=1.5)
        )
    assert isinstance(error, errors.DeadlinePassed)


def test_a_slow_server_is_waited_for(dovecot: Dovecot) -> None:
    with FaultProxy(dovecot.port, Fault("delay", b"FETCH", pause=0.3)) as proxy:
        one = account(proxy.port, timeout=5.0)
        with open_mailbox(one, Onlooker(), SystemClock()) as box:
            assert len(box.fetch(box.search(NOW - timedelta(hours=1))).messages) == 5


def test_a_run_that_is_cancelled_ends_in_the_middle_of_a_command(dovecot: Dovecot) -> None:
    onlooker = Onlooker()
    with FaultProxy(dovecot.port, Fault("hang", b"FETCH")) as proxy:
        one = account(proxy.port, timeout=60.0, deadline=120.0)
        with open_mailbox(one, onlooker, SystemClock()) as box:
            uids = box.search(NOW - timedelta(hours=1))
            threading.Timer(0.2, lambda: setattr(onlooker, "cancelled", True)).start()
            with pytest.raises(errors.RunCancelled):
                box.fetch(uids)


def test_neither_threads_nor_sockets_are_left_behind(dovecot: Dovecot) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted only

    before = threading.active_count(), open_files()
    for fault in (Fault("close", b"FETCH", 100), Fault("close"), Fault("pass")):
        with FaultProxy(dovecot.port, fault) as proxy:
            if fault.then == "pass":
                verify(account(proxy.port), SystemClock())
            else:
                failure_of(account(proxy.port))
    assert (threading.active_count(), open_files()) == before


LITERAL = b"* 1 FETCH (UID 11 BODY[HEADER.FIELDS (FROM)] {%d}\r\n"


@pytest.mark.requirement("S2", "F4")
@pytest.mark.parametrize(
    "flood", [LITERAL % MOST_BYTES, LITERAL % 10**30, b"* 1 EXISTS\r\n" * 1_200_000]
)
def test_a_server_that_sends_without_end_cannot_fill_the_memory(flood: bytes) -> None:
    """Nothing follows the lengths, and no end the lines: who reads on waits in vain."""
    with ScriptedServer({b"UID FETCH": flood}) as server:
        error = failure_of(account(server.port))
    found = triaged(error)
    assert isinstance(error, errors.AnswerTooLong)
    assert (found.category, found.retryable) == (C.CONNECTION, True), found


def test_what_was_said_before_encryption_is_forgotten(dovecot: Dovecot) -> None:
    """Who sits in between can add to what the server says in the clear (CVE-2011-0411 and its like)."""
    capabilities, end = b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n", b"* BYE gone\r\n"
    authority = str(dovecot.certificates.authority)
    for fault in (
        Fault("inject", b"STARTTLS", ahead=capabilities),
        Fault("inject", b"STARTTLS", behind=capabilities + end),
    ):
        with FaultProxy(dovecot.port, fault) as proxy:
            verify(account(proxy.port, tls="starttls", ca_file=authority), SystemClock())
            assert proxy.injected


def test_a_login_before_encryption_is_not_believed() -> None:
    with ScriptedServer(greeting=b"* PREAUTH in already\r\n") as server:
        error = failure_of(account(server.port, tls="starttls"))
        assert isinstance(error, errors.MailError)
        assert server.commands(b"SELECT") == []


def test_the_next_run_after_a_fault_succeeds(dovecot: Dovecot) -> None:
    with FaultProxy(dovecot.port, Fault("close", b"FETCH", 100)) as proxy:
        failure_of(account(proxy.port))
        proxy.fault = Fault("pass")
        verify(account(proxy.port), SystemClock())


def test_a_deadline_of_its_own_keeps_a_verification_short(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.pipelines.mail.session.VERIFY_SECONDS", 1.0)
    started = time.monotonic()
    with (
        FaultProxy(dovecot.port, Fault("trickle", b"LOGIN")) as proxy,
        pytest.raises(errors.DeadlinePassed),
    ):
        verify(account(proxy.port, deadline=300.0), SystemClock())
    assert time.monotonic() - started < 60
