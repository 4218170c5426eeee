"""The way of an alert: triaged, Prometheus, Alertmanager and a receiver, each real, on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.alertmanager import Alertmanager
from tests.support.product import Product
from tests.support.prometheus import Prometheus
from tests.support.receiver import Receiver

SERVERS = ("prometheus", "prometheus-alertmanager")


def missing_servers() -> list[str]:
    """What is not installed."""
    return [name for name in SERVERS if shutil.which(name) is None]


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
