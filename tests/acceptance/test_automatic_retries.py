"""F5 on the running product: a server that is busy, one that refuses the credentials, one that is well."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.product import Product, wait_for

JOBS = """
import urllib.request

def call(run):
    run.step("fetching", "asking the server")
    with urllib.request.urlopen(run.options["url"]) as answer:
        run.succeed(answer.read().decode())
"""
PIPELINE = """
[pipelines.calls]
run = "jobs:call"
every = "200ms"
concurrency = 3
"""
SOURCE = """
[pipelines.calls.sources.{name}]
options = {{ url = "{url}/{path}" }}
"""
PAUSE = 2
"""Seconds that the busy server asks to wait."""


class Server:
    """A real HTTP server that remembers when it was asked for what."""

    def __init__(self) -> None:
        self.asked: defaultdict[str, list[float]] = defaultdict(list)
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                times = asked[self.path.partition("?")[0]]
                times.append(time.monotonic())
                busy = self.path.startswith("/busy") and len(times) <= 2
                status = 503 if busy else 401 if self.path.startswith("/refused") else 200
                self.send_response(status)
                if busy:
                    self.send_header("Retry-After", str(PAUSE))
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    @contextmanager
    def running(self) -> Iterator[Server]:
        thread = threading.Thread(target=self.http.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self.http.shutdown()
            thread.join()
            self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server().running() as server:
        yield server


def configure(product: Product, server: Server, refused: str = "refused") -> None:
    (product.folder / "jobs.py").write_text(JOBS)
    paths = {"busy": "busy", "refused": refused, "healthy": "healthy"}
    sources = "".join(
        SOURCE.format(name=name, url=server.url, path=path) for name, path in paths.items()
    )
    product.configure(PIPELINE + sources)


def waiting(product: Product) -> dict[str, str]:
    """Why sources wait, by name."""
    (calls,) = product.get("/api/pipelines")["pipelines"]
    return {source["source"]: source["reason"] for source in calls["waiting"]}


def go_on(server: Server, cycles: int = 5) -> None:
    """Lets that many more cycles ask the healthy server."""
    before = len(server.asked["/healthy"])
    wait_for(lambda: len(server.asked["/healthy"]) >= before + cycles)


@pytest.mark.requirement("F5")
def test_a_busy_server_is_asked_again_when_it_said_and_a_refusal_not_at_all(
    product: Product, server: Server
) -> None:
    configure(product, server)
    product.start()

    wait_for(lambda: len(server.asked["/busy"]) >= 4)
    first, second, third, _ = server.asked["/busy"][:4]
    # Never before the server's own Retry-After, though a cycle is due five times a second.
    assert second - first > PAUSE - 0.5
    assert third - second > PAUSE - 0.5
    busy = wait_for(lambda: product.failures(source="busy", status="resolved"))
    assert [failure["attempt"] for failure in busy] == [2, 1]
    assert {failure["error_category"] for failure in busy} == {"service_unavailable"}
    retried = 'triaged_retries_total{outcome="succeeded",pipeline="calls"}'
    wait_for(lambda: product.metrics()[retried] == 1)

    assert len(server.asked["/refused"]) == 1
    assert waiting(product) == {"refused": "held"}
    (refused,) = product.failures(source="refused")
    assert refused["is_auth_error"]
    assert refused["retry_at"] is None
    assert len(server.asked["/healthy"]) > 5, "nobody waits for the others"


@pytest.mark.requirement("F5")
def test_what_is_held_stays_so_through_kill_9_till_the_configuration_changes_or_a_person_says_go(
    product: Product, server: Server
) -> None:
    configure(product, server)
    product.start()
    wait_for(lambda: waiting(product).get("refused") == "held")
    product.kill()

    product.start()
    go_on(server)
    assert waiting(product)["refused"] == "held"
    assert len(server.asked["/refused"]) == 1

    product.post("/api/pipelines/calls/run", {"source": "refused"})
    wait_for(lambda: len(product.failures(source="refused")) == 2)
    go_on(server)
    assert len(server.asked["/refused"]) == 2
    assert product.stop() == 0

    configure(product, server, refused="refused?key=new")
    product.start()
    wait_for(lambda: len(product.failures(source="refused")) == 3)
    go_on(server)
    assert len(server.asked["/refused"]) == 3
    assert waiting(product)["refused"] == "held"
