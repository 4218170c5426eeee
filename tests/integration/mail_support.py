"""What the tests of mail accounts share: accounts, somebody who looks on, and what triage says."""

from __future__ import annotations

from typing import Any

from daemon.pipelines.mail.account import Credentials, MailAccount, Password
from daemon.pipelines.mail.config import MailSource
from daemon.taxonomy import RunState
from daemon.triage import Assessment, Triage, describe
from tests.support.dovecot import PASSWORD

TRIAGE = Triage.load()


class Onlooker:
    """A run's handle, as far as a mailbox sees it."""

    def __init__(self) -> None:
        self.cancelled = False
        self.steps: list[tuple[str, str]] = []

    def step(self, state: RunState | str, text: str = "") -> None:
        self.steps.append((str(state), text))


def account(
    port: int, *, credentials: Credentials | None = None, password: str = PASSWORD, **settings: Any
) -> MailAccount:
    """An account on loopback, without TLS unless the settings say otherwise."""
    source = MailSource(
        **{
            "host": "localhost",
            "port": port,
            "tls": "none",
            "username": "ann",
            "timeout": 10.0,
            "deadline": 30.0,
            **settings,
        }
    )
    return MailAccount("work", source, credentials or Password(password))


def triaged(error: BaseException) -> Assessment:
    """What is stored and shown of the error."""
    return TRIAGE.assess(describe(error), pipeline="mail", step="connecting")
