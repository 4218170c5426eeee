"""Tries the login of an account now, outside any run, and says what came of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

import msgspec

from daemon.clock import Clock
from daemon.config.values import Duration
from daemon.errors import Conflict, CredentialsMissing
from daemon.pipelines.mail.account import MailAccount, MailAccounts
from daemon.pipelines.mail.config import PIPELINE
from daemon.taxonomy import RunState
from daemon.triage import Triage, describe
from daemon.triage.assessment import Assessment

VERIFY_SECONDS = 20.0
"""How long a login may take before a person is told that it takes too long."""
AT_A_TIME = 4
"""Logins at the same time; each holds a thread and a connection."""

Login = Callable[[MailAccount, Clock], None]
"""Logs in to an account. Raises what went wrong, without its secrets."""


_STOPPED = Conflict("the daemon is stopping")


class Verification(msgspec.Struct, frozen=True):
    """What came of a login."""

    duration_seconds: float
    failed: Assessment | None
    """The triage of what went wrong; None when the login worked."""


class Verifier:
    """Tries logins, a few at a time."""

    def __init__(
        self,
        accounts: MailAccounts,
        triage: Triage,
        clock: Clock,
        login: Login | None = None,
        seconds: float = VERIFY_SECONDS,
    ) -> None:
        self._accounts = accounts
        self._triage = triage
        self._clock = clock
        self._login = login or log_in
        self._seconds = seconds
        self._places = threading.BoundedSemaphore(AT_A_TIME)
        self._waiting: set[SimpleQueue[BaseException | None]] = set()
        self._stopping = False

    def stop(self) -> None:
        """Nobody waits for a login any more. What was asked for is refused from now on."""
        self._stopping = True
        for waiting in tuple(self._waiting):
            waiting.put(_STOPPED)

    def verify(self, name: str) -> Verification:
        """Logs in with the account's present credentials. Raises `NotFound`, `Conflict`."""
        began = self._clock.monotonic()
        try:
            error = self._error(self._accounts.account(name))
        except CredentialsMissing as missing:
            error = missing
        seconds = self._clock.monotonic() - began
        return Verification(seconds, self._assessed(error) if error else None)

    def _assessed(self, error: BaseException) -> Assessment:
        return self._triage.assess(describe(error), pipeline=PIPELINE, step=RunState.CONNECTING)

    def _error(self, account: MailAccount) -> BaseException | None:
        if not self._places.acquire(blocking=False):
            raise Conflict(f"{AT_A_TIME} logins are being tried already: ask again in a moment")
        ended: SimpleQueue[BaseException | None] = SimpleQueue()
        self._waiting.add(ended)
        threading.Thread(
            target=self._try, args=(account, ended), name=f"verify-{account.name}", daemon=True
        ).start()
        try:
            error = _STOPPED if self._stopping else ended.get(timeout=self._seconds)
        except Empty:
            return TimeoutError(f"the login timed out: it took longer than {self._seconds:g} s")
        finally:
            self._waiting.discard(ended)
        if error is _STOPPED:
            raise Conflict(str(error))
        return error

    def _try(self, account: MailAccount, ended: SimpleQueue[BaseException | None]) -> None:
        """Keeps its place to its end, which the account's own limits bring about if nothing else does."""
        try:
            self._login(self._hurried(account), self._clock)
        except Exception as error:  # noqa: BLE001 (whatever it raises is triaged)
            ended.put(error)
        else:
            ended.put(None)
        finally:
            self._places.release()

    def _hurried(self, account: MailAccount) -> MailAccount:
        source, most = account.source, Duration(self._seconds)
        source = msgspec.structs.replace(
            source, timeout=min(source.timeout, most), deadline=min(source.deadline, most)
        )
        return msgspec.structs.replace(account, source=source)


def log_in(account: MailAccount, clock: Clock) -> None:
    """Logs in over IMAP. What that needs is loaded only now."""
    from daemon.pipelines.mail.session import verify

    verify(account, clock)
