"""Requests that nobody would send by mistake: each is refused as what it is, and none is taken for a defect of ours."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.product import BAD, GOOD, Product, wait_for

MAIL = """
[pipelines.mail]
every = "1h"
sources.support = { host = "127.0.0.1", port = 1, tls = "none", username = "u", password_env = "SUPPORT_PASSWORD" }
"""
BODIES = {
    "deep_lists": b"[" * 100_000 + b"]" * 100_000,
    "deep_objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "as_deep_as_can_be_decoded": b'{"a":' * 700 + b"1" + b"}" * 700,
    "no_utf_8": b'{"paths":["\xff\xfe"]}',
    "half_a_surrogate": b'{"paths":["\\ud800"]}',
    "numbers_without_end": b'{"a":1e999999}',
    "no_json": b"\xff\xfe",
    "surrogate": b'{"source": "\xed\xa0\x80"}',
    "deep_and_whole": b"[" * 980 + b"]" * 980,
    "cut": b'{"source": "',
    "nul": b"\0" * 10,
}
PATHS = [
    "/api/ingestions/orders%2Ffiles",
    "/api/ingestions/orders/files%2fdownload?path=good.csv",
    "/api/runs/%00",
    "/api/failures/groups/%00",
    "/api/runs?q=%FF",
    "/api/processing/failures?source=%ed%a0%80",
    "/api/processing/failures?q=" + "x" * 60_000,
    "/healthz?%ff=1",
    "/metrics?" + "x" * 60_000,
]
NAMES = {"name": "orders", "pipeline": "ingest"}
URL = "/api/ingestions/orders/files"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    product = Product(tmp_path_factory.mktemp("product"))
    product.configure_orders("1h", MAIL)
    product.drop("good.csv", GOOD)
    product.drop("bad.csv", BAD)
    product.start(env={"SUPPORT_PASSWORD": "x", "PATH": "/usr/bin:/bin"})
    product.wait_for_file("good.csv", "success")
    product.wait_for_file("bad.csv", "partial")
    product.pause("ingest")
    yield product
    product.kill()


@pytest.fixture(autouse=True)
def _nothing_is_taken_for_a_defect(product: Product) -> Iterator[None]:
    yield
    log = product.log.read_text()
    assert "Traceback" not in log
    assert "request_failed" not in log
    assert {entry["reason"] for entry in product.get("/api/audit", limit=100)["entries"]} <= {
        None,
        "invalid",
        "not_found",
        "conflict",
    }


def commands_of(product: Product) -> list[tuple[str, str]]:
    """Method and path of everything that takes a body."""
    return [
        (method.upper(), re.sub(r"\{(\w+)\}", lambda found: NAMES.get(found[1], "x"), path))
        for path, methods in product.get("/schema/openapi.json")["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation
    ]


def assert_problem(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code


@pytest.mark.requirement("F1", "S6", "X3")
@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_cannot_be_read_is_a_mistake_of_who_sent_it(
    product: Product, body: str
) -> None:
    commands = commands_of(product)
    assert len(commands) > 10
    for method, path in commands:
        answer = product.http.request(
            method, path, content=BODIES[body], headers={"Content-Type": "application/json"}
        )
        if "/grafana/" in path and answer.status_code == 200:
            continue  # Grafana may add fields of its own
        assert_problem(answer, 400)


@pytest.mark.requirement("S6")
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:50])
def test_a_path_or_query_that_stands_for_something_else_is_refused(
    product: Product, path: str
) -> None:
    assert_problem(product.http.get(path), 400)


@pytest.mark.requirement("S6")
@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/api/runs", "/"])
def test_two_lengths_of_a_body_are_refused_by_whatever_is_asked(
    product: Product, path: str
) -> None:
    with socket.create_connection(("127.0.0.1", product.port), 30) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode()
        )
        assert connection.recv(13) == b"HTTP/1.1 400 "


@pytest.mark.requirement("S6")
def test_head_has_the_headers_of_get_at_every_path(product: Product) -> None:
    for path, methods in product.get("/schema/openapi.json")["paths"].items():
        if "get" not in methods or path == "/api/export/store.duckdb":
            continue
        place = re.sub(r"\{(\w+)\}", lambda found: NAMES.get(found[1], "x"), path)
        got, head = product.http.get(place), product.http.head(place)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers.keys() == got.headers.keys()
        assert head.headers["content-type"] == got.headers["content-type"]


LEFT: list[tuple[bytes, bytes]] = [
    (b"POST /api/accounts", b"Content-Length: 500\r\n\r\n{"),
    (b"PUT /api/accounts/support", b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"),
    (b"POST /api/ingestions/orders/files/quarantine", b"Content-Length: 500\r\n\r\n{"),
    (b"GET /api/export/failures.csv", b"\r\n"),
    (b"GET /api/export/store.duckdb", b"\r\n"),
    (b"GET /metrics", b"\r\n"),
    (
        b"GET /ws/status",
        (
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ),
    ),
]


@pytest.mark.requirement("S6", "S8")
@pytest.mark.parametrize("at_once", [True, False], ids=["at_once", "after_the_first_bytes"])
@pytest.mark.parametrize(
    ("start", "rest"), LEFT, ids=lambda part: part.decode()[:40].split("\r")[0]
)
def test_a_client_that_leaves_midway_is_no_failure(
    product: Product, start: bytes, rest: bytes, at_once: bool
) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.connect(("127.0.0.1", product.port))
        head = b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        connection.sendall(start + head + rest)
        if not at_once and start.startswith(b"GET"):
            connection.recv(1)
    wait_for(lambda: product.metrics()["triaged_connections"] == 1)
    wait_for(lambda: product.metrics()["triaged_live_clients"] == 0)


def post(product: Product, action: str, path: str) -> httpx.Response:
    return product.http.post(f"{URL}/{action}", json={"paths": [path]})


def status_of(product: Product, path: str) -> Any:
    file = product.file(path)
    assert file is not None
    return file["status"]


@pytest.mark.requirement("I6", "S6")
def test_a_file_that_became_a_folder_is_neither_read_nor_lost(product: Product) -> None:
    place = product.inbox / "bad.csv"
    assert post(product, "quarantine", "bad.csv").status_code == 200
    place.unlink()
    place.mkdir()
    assert_problem(product.http.get(f"{URL}/download", params={"path": "bad.csv"}), 404)
    assert_problem(post(product, "quarantine", "bad.csv"), 409)
    assert_problem(post(product, "release", "bad.csv"), 409)
    assert status_of(product, "bad.csv") == "quarantined"
    place.rmdir()
    assert post(product, "release", "bad.csv").status_code == 200
    assert place.read_text() == BAD, "the copy that was set aside is back"


@pytest.mark.requirement("I6", "S6")
def test_a_folder_that_became_a_file_keeps_what_was_set_aside(tmp_path: Path) -> None:
    product = Product(tmp_path)
    product.configure_orders("1h")
    product.config.write_text(product.config.read_text().replace("inbox/*.csv", "inbox/**/*.csv"))
    product.drop("today/bad.csv", BAD)
    try:
        product.start()
        product.wait_for_file("today/bad.csv", "partial")
        product.pause("ingest")
        assert post(product, "quarantine", "today/bad.csv").status_code == 200
        (product.inbox / "today/bad.csv").unlink()
        (product.inbox / "today").rmdir()
        (product.inbox / "today").write_text("no folder any more")
        assert_problem(post(product, "release", "today/bad.csv"), 409)
        assert_problem(post(product, "retry", "today/bad.csv"), 409)
        assert status_of(product, "today/bad.csv") == "quarantined"
        (product.inbox / "today").unlink()
        assert post(product, "release", "today/bad.csv").status_code == 200
        assert (product.inbox / "today/bad.csv").read_text() == BAD
        assert "Traceback" not in product.log.read_text()
    finally:
        product.kill()
