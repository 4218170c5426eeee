"""The way of an alert: triaged, Prometheus, Alertmanager and a receiver, each real, on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.support.alertmanager import Alertmanager
from tests.support.dovecot import DOVECOT, Dovecot
from tests.support.product import Product
from tests.support.prometheus import Prometheus
from tests.support.receiver import Receiver

SERVERS = ("prometheus", "prometheus-alertmanager")


def missing_servers() -> list[str]:
    """What is not installed."""
    found = {name: shutil.which(name) for name in SERVERS} | {"dovecot": DOVECOT}
    return [name for name, program in found.items() if program is None]


class Alerting(NamedTuple):
    """What stands behind a product."""

    prometheus: Prometheus
    receiver: Receiver


@contextmanager
def alerting(product: Product, folder: Path, lasting: str | None = None) -> Iterator[Alerting]:
    """Prometheus and Alertmanager for a product that runs, or will."""
    receiver = Receiver()
    alertmanager = Alertmanager(folder / "alertmanager")
    prometheus = Prometheus(folder / "prometheus")
    links = {
        "api": product.url,
        "dashboards": f"{receiver.url}/grafana",
        "runbooks": f"{receiver.url}/runbooks",
    }
    try:
        alertmanager.start(receiver)
        prometheus.start(f"127.0.0.1:{product.port}", alertmanager.address, links, lasting)
        yield Alerting(prometheus, receiver)
    finally:
        prometheus.stop()
        alertmanager.stop()
        receiver.close()


class Account:
    """A source that logs in, as a pipeline of one's own: it can be locked out and let in again."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._password = product.folder / "password"
        self._password.write_text("right")
        (product.folder / "accounts.py").write_text(_PIPELINE.format(file=str(self._password)))
        product.configure(_CONFIGURATION)

    def refuse(self) -> None:
        """From now on its credentials are wrong."""
        self._password.write_text("wrong")

    def correct(self) -> None:
        """Puts the credentials right and has it tried again."""
        self._password.write_text("right")
        self._product.post("/api/pipelines/accounts/run", {"source": "support"})


class Mailbox:
    """A mail account at a real Dovecot, whose password is changed there before triaged is told."""

    USER = "support@example.com"

    def __init__(self, product: Product, dovecot: Dovecot) -> None:
        self._dovecot = dovecot
        self._known = product.folder / "support.password"
        self._changes = 0
        dovecot.account(self.USER, self._password)
        dovecot.deliver(self.USER, {"Subject": "Hello"}, at=datetime.now(UTC))
        self.correct()
        product.configure(_MAIL.format(user=self.USER, port=dovecot.port))

    @property
    def _password(self) -> str:
        return f"secret-of-this-month-{'x' * self._changes}"

    def refuse(self) -> None:
        """From now on the password that triaged has is a former one."""
        self._changes += 1
        self._dovecot.change_password(self.USER, self._password)

    def correct(self) -> None:
        """Writes the password of today into the file that the configuration names."""
        fresh = self._known.with_suffix(".new")
        fresh.write_text(f"{self._password}\n")
        fresh.replace(self._known)


@contextmanager
def mailbox(product: Product) -> Iterator[Mailbox]:
    """A mail account that works, with its server; configures the product for it."""
    dovecot = Dovecot()
    try:
        account = Mailbox(product, dovecot)
        dovecot.start()
        yield account
    finally:
        dovecot.stop()


_MAIL = """
[pipelines.mail]
every = "500ms"
[pipelines.mail.sources.support]
host = "127.0.0.1"
port = {port}
tls = "none"
username = "{user}"
password_file = "support.password"
"""
_PIPELINE = """
from pathlib import Path


def work(run):
    if Path({file!r}).read_text() != "right":
        raise RuntimeError("535 5.7.8 Authentication failed: bad username or password")
    run.succeed("inbox")
"""
_CONFIGURATION = """
[pipelines.accounts]
run = "accounts:work"
every = "500ms"
[pipelines.accounts.sources.support]
"""
