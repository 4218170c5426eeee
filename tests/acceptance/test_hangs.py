"""What never answers: files that are none, servers that say nothing. Nothing waits for them, least of all a stop."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.support.product import BAD, GOOD, Product, wait_for


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    product = Product(tmp_path)
    yield product
    product.kill()


def make_socket(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(place.parent)  # a socket's path may not be long
        try:
            listener.bind(place.name)
        finally:
            os.chdir(here)


KINDS: list[Callable[[Path], None]] = [
    os.mkfifo,
    make_socket,
    Path.mkdir,
    lambda place: place.symlink_to("/dev/zero"),
]


@pytest.mark.requirement("I6", "X3")
@pytest.mark.parametrize("make", KINDS, ids=["fifo", "socket", "folder", "device"])
def test_what_has_taken_the_place_of_a_tracked_file_holds_nothing_up(
    product: Product, make: Callable[[Path], None]
) -> None:
    product.configure_orders()
    product.drop("good.csv", GOOD)
    product.drop("bad.csv", BAD)
    product.start()
    product.wait_for_file("bad.csv", "partial")
    product.pause("ingest")
    (product.inbox / "bad.csv").unlink()
    make(product.inbox / "bad.csv")
    url = "/api/ingestions/orders/files/"
    set_aside = product.http.post(f"{url}quarantine", json={"paths": ["bad.csv"]})
    assert set_aside.status_code in (404, 409), set_aside.text
    assert product.http.post(f"{url}ignore", json={"paths": ["bad.csv"]}).status_code == 200
    assert product.http.post(f"{url}release", json={"paths": ["bad.csv"]}).status_code == 200
    assert product.http.post("/api/pipelines/ingest/resume").status_code == 200
    product.drop("later.csv", GOOD.replace("1,ann", "9,ann"))
    product.wait_for_file("later.csv", "success")
    assert product.stop() == 0


MAIL = """
[pipelines.mail]
every = "1h"
[pipelines.mail.sources.support]
host = "127.0.0.1"
port = {port}
tls = "{tls}"
username = "u"
password_env = "SUPPORT_PASSWORD"
"""


class Silent:
    """A server that takes connections, and at most says a letter now and then."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections: list[socket.socket] = []
        self._over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self.connections.append(self._listener.accept()[0])

    def drip(self) -> None:
        def go_on() -> None:
            while not self._over.wait(0.1):
                for connection in self.connections:
                    with suppress(OSError):
                        connection.send(b"*")

        threading.Thread(target=go_on, daemon=True).start()

    def close(self) -> None:
        self._over.set()
        for connection in (self._listener, *self.connections):
            connection.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.close()


@pytest.mark.requirement("X3")
@pytest.mark.parametrize("tls", ["none", "implicit"])
@pytest.mark.parametrize("drips", [False, True], ids=["silent", "dripping"])
@pytest.mark.parametrize("asked", ["/api/accounts/support/verify", "/api/pipelines/mail/run"])
def test_a_stop_does_not_wait_for_a_mail_server_that_never_answers(
    product: Product, silent: Silent, tls: str, drips: bool, asked: str
) -> None:
    product.configure(MAIL.format(port=silent.port, tls=tls))
    product.start(env=os.environ | {"SUPPORT_PASSWORD": "hunter2"})
    wait_for(lambda: silent.connections)
    before = len(silent.connections)
    if drips:
        silent.drip()

    def ask() -> None:
        with suppress(httpx.HTTPError):
            product.http.post(asked, json={})

    threading.Thread(target=ask, daemon=True).start()
    if "verify" in asked:
        wait_for(lambda: len(silent.connections) > before)
    assert product.process is not None
    product.process.terminate()
    assert product.process.wait(25) == 0
