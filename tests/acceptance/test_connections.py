"""Clients that send or read nothing, or half of it: what they cost the others, on the running product."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.support.product import GOOD, ORDERS, Product, wait_for

BEGINNINGS = [
    b"",
    b"GET /api/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ",
    b"POST /api/pipelines/ingest/run HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
]
QUICK = 'header_timeout = "300ms"\nbody_timeout = "300ms"\nsend_timeout = "300ms"\n'
BIG = """
[pipelines.big]
run = "big:fail"
every = "1h"
"""
FLOOD = """
def fail(run):
    for number in range(20_000):
        run.fail(f"{number}-{'x' * 300}", ValueError("it broke"))
"""


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    product = Product(tmp_path)
    yield product
    product.kill()


@pytest.fixture
def open_sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(product: Product, stack: ExitStack, beginning: bytes) -> socket.socket:
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", product.port), 30))
    connection.sendall(beginning)
    return connection


def status_of(connection: socket.socket) -> bytes:
    """The status of the answer; empty where none has come yet."""
    try:
        return connection.recv(12, socket.MSG_PEEK | socket.MSG_DONTWAIT)[9:]
    except BlockingIOError:
        return b""


def ended(product: Product, reason: str) -> float:
    return product.metrics()[f'triaged_connections_ended_total{{reason="{reason}"}}']


def rest_of(connection: socket.socket) -> bytes:
    """What comes till the other side ends it."""
    received = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(65536):
            received += part
    return received


@pytest.mark.requirement("X3", "S8")
@pytest.mark.parametrize("descriptors", [64, 256])
def test_more_idle_connections_than_descriptors_stop_nothing_and_fill_no_log(
    product: Product, open_sockets: ExitStack, descriptors: int
) -> None:
    product.configure(ORDERS.format(every="200ms"))
    limits = (descriptors, descriptors)
    product.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits))
    for number in range(descriptors + 60):
        with suppress(ConnectionError):
            connect(product, open_sockets, BEGINNINGS[number % len(BEGINNINGS)])
    product.http.close()
    product.http = type(product.http)(base_url=product.url, timeout=30)
    assert ended(product, "displaced") + ended(product, "refused") > 0
    product.drop("good.csv", GOOD)
    product.wait_for_file("good.csv", "success")
    runs = product.get("/api/runs")["total_runs"]
    wait_for(lambda: product.get("/api/runs")["total_runs"] > runs)
    assert product.get("/healthz")["status"] == "ok"
    assert product.metrics()["process_open_fds"] < descriptors
    assert product.log.stat().st_size < 200_000


@pytest.mark.requirement("X3", "S8")
@pytest.mark.parametrize(
    ("beginning", "reason", "answer"),
    [
        (BEGINNINGS[0], "header_timeout", b""),
        (BEGINNINGS[1], "header_timeout", b"HTTP/1.1 408 "),
        (BEGINNINGS[2], "body_timeout", b"HTTP/1.1 408 "),
    ],
)
def test_who_does_not_finish_a_request_in_time_is_told_so_and_let_go(
    product: Product, open_sockets: ExitStack, beginning: bytes, reason: str, answer: bytes
) -> None:
    product.configure(ORDERS.format(every="1h"), QUICK)
    product.start()
    connection = connect(product, open_sockets, beginning)
    assert rest_of(connection)[:13] == answer
    assert ended(product, reason) >= 1
    assert product.get("/api/audit")["total_entries"] == 0
    assert "Traceback" not in product.log.read_text()


@pytest.mark.requirement("X3", "S8")
def test_a_body_that_drips_is_given_up(product: Product, open_sockets: ExitStack) -> None:
    product.configure(ORDERS.format(every="1h"), QUICK)
    product.start()
    connection = connect(product, open_sockets, BEGINNINGS[2].replace(b"50", b"500000"))
    connection.settimeout(0.01)
    received = b""

    def drip() -> bool:
        nonlocal received
        try:
            connection.send(b" ")
            received += connection.recv(100)
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return bool(received)

    wait_for(drip)
    assert received[:13] in (b"", b"HTTP/1.1 408 ")
    assert ended(product, "body_timeout") == 1


@pytest.mark.requirement("X3", "S8")
def test_who_does_not_read_an_export_holds_nothing_for_ever(
    product: Product, open_sockets: ExitStack
) -> None:
    (product.folder / "big.py").write_text(FLOOD)
    product.configure(BIG, QUICK)
    product.start()
    wait_for(lambda: product.get("/api/failures")["total_failures"] == 20_000)
    asking = socket.socket()
    open_sockets.enter_context(asking)
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    asking.connect(("127.0.0.1", product.port))
    asking.sendall(b"GET /api/export/failures.csv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    wait_for(lambda: ended(product, "send_timeout") == 1)
    assert not rest_of(asking).endswith(b"0\r\n\r\n"), "a part was taken for the whole"
    assert product.get("/healthz")["status"] == "ok"


@pytest.mark.requirement("X3", "S8")
def test_many_who_do_not_read_their_exports_keep_nobody_else_from_an_answer(
    product: Product, open_sockets: ExitStack
) -> None:
    (product.folder / "big.py").write_text(FLOOD)
    product.configure(BIG, 'send_timeout = "10m"\nrequests_per_minute = 0\n')
    product.start()
    wait_for(lambda: product.get("/api/failures")["total_failures"] == 20_000)
    exports = []
    for _ in range(40):
        asking = socket.socket()
        open_sockets.enter_context(asking)
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        asking.connect(("127.0.0.1", product.port))
        asking.sendall(b"GET /api/export/failures.csv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        exports.append(asking)
    wait_for(lambda: [status_of(export) for export in exports].count(b"503") >= 36)
    wait_for(lambda: [status_of(export) for export in exports].count(b"200") == 2)
    assert product.get("/api/runs", limit=1)["total_runs"] == 1
    assert product.get("/healthz")["status"] == "ok"
    assert product.log.read_text().count("request_unavailable") <= 25


@pytest.mark.requirement("S6")
@pytest.mark.parametrize(
    "request_",
    [
        b"POST /api/pipelines/ingest/run HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /api/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: other\r\n\r\n",
        b"GET /api/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /api/pipelines/ingest/run HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /api/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 200_000,
        b"GET /\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
    ids=["two_lengths", "two_hosts", "other_lengths", "bad_chunk", "huge", "no_ascii", "tls"],
)
def test_a_request_that_can_be_read_in_two_ways_or_not_at_all_is_refused_and_ends_the_connection(
    product: Product, open_sockets: ExitStack, request_: bytes
) -> None:
    product.configure(ORDERS.format(every="1h"))
    product.start()
    answer = rest_of(connect(product, open_sockets, request_))
    assert answer[:13] == b"HTTP/1.1 400 ", answer
    assert "Traceback" not in product.log.read_text()
    triggers = {run["trigger"] for run in product.get("/api/runs", include_idle="true")["runs"]}
    assert "manual" not in triggers
