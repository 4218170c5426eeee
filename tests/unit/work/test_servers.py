"""Sources that share a server share what it allows: what is configured, and what it turns out to allow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from daemon.clock import FakeClock
from daemon.pipelines.catalog import Catalog, Registered
from daemon.pipelines.contract import Pipeline
from daemon.runners.handle import Run
from daemon.taxonomy import Trigger
from daemon.work.servers import ONE_MORE_AFTER, ServerBounds
from tests.unit.spine_support import PATIENCE, START, Machinery, Store, pipeline, store, wait_for


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path, FakeClock(START)) as opened:
        yield opened


def at_servers(function: Pipeline, per_server: int | None = None, **servers: str) -> Registered:
    """A pipeline of sources, each at its server."""
    made = pipeline(function, *servers, concurrency=8)
    sources = {
        name: msgspec.structs.replace(source, server=servers[name])
        for name, source in made.sources.items()
    }
    return msgspec.structs.replace(made, sources=sources, per_server=per_server)


class Server:
    """Refuses whoever comes while somebody is there, who stays until that may end."""

    def __init__(self) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()
        self.refused = 0
        self._place = threading.Lock()

    def __call__(self, run: Run) -> None:
        if not self._place.acquire(blocking=False):
            self.refused += 1
            run.fail(None, "too many connections", imap_code="LIMIT")
            return
        self.began.set()
        assert self.may_end.wait(PATIENCE)
        self._place.release()


def test_no_more_run_at_one_server_than_are_configured(target: Store) -> None:
    server = Server()
    servers = {"a": "one", "b": "one", "c": "one"}
    machinery = Machinery(target, at_servers(server, per_server=1, **servers))
    machinery.scheduler.run_now("nightly", None, Trigger.MANUAL)
    assert server.began.wait(PATIENCE)
    assert len(machinery.queue.waiting()) == 2
    server.may_end.set()
    assert machinery.queue.wait(PATIENCE)
    assert server.refused == 0


def test_what_has_no_room_at_its_server_keeps_nobody_else_waiting() -> None:
    servers = {"a": "one", "b": "one", "c": "other"}
    catalog = Catalog({"nightly": at_servers(lambda _run: None, per_server=1, **servers)})
    bounds = ServerBounds(catalog, FakeClock(START))
    assert not bounds.has_room("nightly", "b", ["a"])
    assert bounds.has_room("nightly", "c", ["a"])
    assert bounds.has_room("nightly", "gone", ["a"])


@pytest.mark.requirement("F5")
def test_a_server_that_refuses_gets_no_more_than_it_allows_from_then_on(target: Store) -> None:
    server = Server()
    machinery = Machinery(target, at_servers(server, a="one", b="one"))
    target.recorder.subscribe(machinery.queue.follow)
    machinery.scheduler.run_now("nightly", None, Trigger.MANUAL)
    wait_for(lambda: server.refused == 1)
    wait_for(lambda: machinery.runner.active == 1)
    server.may_end.set()
    assert machinery.queue.wait(PATIENCE)
    server.began.clear()
    server.may_end.clear()
    machinery.scheduler.run_now("nightly", None, Trigger.RETRY)
    assert server.began.wait(PATIENCE)
    assert len(machinery.queue.waiting()) == 1
    server.may_end.set()
    assert machinery.queue.wait(PATIENCE)
    assert server.refused == 1


def test_after_some_hours_one_more_is_tried() -> None:
    clock = FakeClock(START)
    servers = dict.fromkeys("abcd", "imap.example.com")
    bounds = ServerBounds(Catalog({"nightly": at_servers(lambda _run: None, **servers)}), clock)
    bounds.refuse("nightly", "d", ["a", "b", "c", "d"])
    bounds.refuse("nightly", "c", ["a", "b", "c"])
    assert bounds.has_room("nightly", "d", ["a"])
    assert not bounds.has_room("nightly", "d", ["a", "b"])
    clock.advance(ONE_MORE_AFTER)
    assert bounds.has_room("nightly", "d", ["a", "b"])
    assert not bounds.has_room("nightly", "d", ["a", "b", "c"])


def test_one_is_always_let_in() -> None:
    servers = dict.fromkeys("ab", "imap.example.com")
    catalog = Catalog({"nightly": at_servers(lambda _run: None, **servers)})
    bounds = ServerBounds(catalog, FakeClock(START))
    bounds.refuse("nightly", "a", ["a"])
    assert bounds.has_room("nightly", "b", [])
    assert not bounds.has_room("nightly", "b", ["a"])
