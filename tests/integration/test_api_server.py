"""The API on a real socket: streams that are large, broken off or abandoned."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar, get
from litestar.response import Stream

from api.streaming import stream
from daemon.service import Daemon
from daemon.taxonomy import Trigger
from tests.integration.api_server import listening, running
from tests.unit.api_support import until

FAILURES = 20_000


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Daemon, str]]:
    with running(tmp_path) as served:
        yield served


def many(run: Any) -> None:
    """A pipeline of which every item fails."""
    for number in range(FAILURES):
        run.fail(f"item {number}", "connection reset by peer")


def record_many(daemon: Daemon) -> None:
    """Fills the store."""
    pipeline = msgspec.structs.replace(daemon.catalog.pipeline("patient"), function=many)
    daemon.cycles.run(pipeline, pipeline.sources.values(), Trigger.MANUAL)


@pytest.mark.requirement("M6")
def test_an_export_arrives_whole(served: tuple[Daemon, str]) -> None:
    daemon, url = served
    record_many(daemon)
    lines = httpx.get(
        f"{url}/api/export/failures.csv?pipeline=patient", timeout=60
    ).text.splitlines()
    assert len(lines) == FAILURES + 1
    assert len({line.partition(",")[0] for line in lines}) == FAILURES + 1


@pytest.mark.requirement("I4")
def test_a_long_log_arrives_whole(served: tuple[Daemon, str]) -> None:
    daemon, url = served
    record_many(daemon)
    run = httpx.get(f"{url}/api/runs?pipeline=patient").json()["runs"][0]
    lines = httpx.get(url + run["log_url"], timeout=60).text.splitlines()
    assert len(lines) == FAILURES + 2


@pytest.mark.requirement("M6")
def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(
    served: tuple[Daemon, str],
) -> None:
    daemon, url = served
    record_many(daemon)
    before = open_files()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0)) as client:
            client.sendall(b"GET /api/export/failures.csv HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
    until(lambda: open_files() <= before, 30)
    assert httpx.get(f"{url}/api/failures").status_code == 200


@pytest.mark.requirement("M6")
def test_an_export_is_of_one_moment_whatever_happens_meanwhile(served: tuple[Daemon, str]) -> None:
    daemon, url = served
    record_many(daemon)
    with httpx.stream("GET", f"{url}/api/export/failures.csv?pipeline=patient", timeout=60) as got:
        chunks = got.iter_raw(1000)
        first = next(chunks)
        record_many(daemon)
        text = (first + b"".join(chunks)).decode()
    assert len(text.splitlines()) == FAILURES + 1


@pytest.mark.requirement("M6")
def test_a_stream_that_fails_midway_is_broken_off_and_not_ended() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"first"
        yield b"second"
        raise OSError("the disk is gone")

    @get("/", sync_to_thread=True)
    def handler() -> Stream:
        return stream(chunks(), "text/csv")

    with (
        listening(Litestar([handler], logging_config=None)) as url,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        httpx.get(url)


@pytest.mark.requirement("M6")
def test_a_stream_that_fails_at_once_is_an_error_answer() -> None:
    def chunks() -> Iterator[bytes]:
        raise OSError("the disk is gone")
        yield b""

    @get("/", sync_to_thread=True)
    def handler() -> Stream:
        return stream(chunks(), "text/csv")

    with listening(Litestar([handler], logging_config=None)) as url:
        assert httpx.get(url).status_code == 500


def open_files() -> int:
    """File descriptors of this process, but for those of DuckDB's temporary files, which it reuses."""
    opened = (str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.exists())
    return sum("/duckdb_temp_" not in name for name in opened)
