"""Every part of the daemon keeps the one contract of starting and stopping, and so does the daemon."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.errors import Conflict, StoreUnavailable
from daemon.parts import Part, start_in_order, stop_in_order
from daemon.pipelines.kinds import load_settings
from daemon.service import Daemon
from tests.unit.spine_support import PATIENCE, wait_for

CONFIG = """
[pipelines.ingest]
every = "1h"
[pipelines.ingest.sources.orders]
files = "inbox/*.csv"
table = "orders"
"""
THREADS, ROUNDS = 4, 8


def make(folder: Path) -> Daemon:
    (folder / "triaged.toml").write_text(CONFIG)
    return Daemon(load_settings(folder / "triaged.toml", {}))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = make(tmp_path)
    yield made
    made.stop(PATIENCE)


class Noted(Part):
    """A part that notes what is asked of it, and begins only while it may."""

    def __init__(self, name: str, notes: list[str], *, may_start: bool = True) -> None:
        super().__init__(name)
        self.notes = notes
        self.may_start = may_start

    def _start(self) -> None:
        if not self.may_start:
            raise OSError(self.name)
        self.notes.append(f"start {self.name}")

    def _wind_down(self) -> None:
        self.notes.append(f"wind down {self.name}")

    def _stop(self, seconds: float) -> None:
        self.notes.append(f"stop {self.name}")


def stress(part: Part) -> None:
    """All that the contract allows, one after the other and from several threads at the same time."""
    part.wind_down()
    part.stop(PATIENCE)
    assert part.start()
    assert not part.start()
    part.wind_down()
    part.stop(PATIENCE)
    part.stop(PATIENCE)
    raised: list[BaseException] = []

    def again() -> None:
        try:
            for _ in range(ROUNDS):
                part.start()
                part.wind_down()
                part.stop(PATIENCE)
        except BaseException as error:  # noqa: BLE001 (told in the thread of the test)
            raised.append(error)

    threads = [threading.Thread(target=again) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert raised == []


def fail_to_start(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that gets no more threads of the machine, which a part without threads does not notice."""
    asking, start = threading.current_thread(), threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if threading.current_thread() is asking:
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as machine:
        machine.setattr(threading.Thread, "start", refuse)
        try:
            part.start()
        except RuntimeError:
            return
    part.stop(PATIENCE)


def test_every_part_keeps_the_contract(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())
    assert len(daemon.parts) > 5
    for part in daemon.parts:
        fail_to_start(part, monkeypatch)
        stress(part)
        assert part.start(), f"{part.name} begins afresh"
    stop_in_order(daemon.parts)
    wait_for(lambda: set(threading.enumerate()) <= before)


def test_every_part_has_a_name_of_its_own(daemon: Daemon) -> None:
    assert len({part.name for part in daemon.parts}) == len(daemon.parts)


def test_all_wind_down_before_the_first_stops_and_the_last_stops_first() -> None:
    notes: list[str] = []
    parts = [Noted("store", notes), Noted("timers", notes), Noted("runs", notes)]
    start_in_order(parts)
    del notes[:]
    stop_in_order(parts)
    assert notes[:3] == ["wind down runs", "wind down timers", "wind down store"]
    assert [note for note in notes if "stop" in note] == ["stop runs", "stop timers", "stop store"]


def test_a_start_that_fails_stops_what_it_has_started_and_nothing_else() -> None:
    notes: list[str] = []
    broken = Noted("broken", notes, may_start=False)
    parts = [Noted("before", notes), Noted("first", notes), Noted("second", notes), broken]
    parts[0].start()
    with pytest.raises(OSError, match="broken"):
        start_in_order(parts)
    assert [note for note in notes if "stop" in note] == ["stop second", "stop first"]
    broken.may_start = True
    start_in_order(parts)
    assert notes[-3:] == ["start first", "start second", "start broken"]


def test_a_daemon_starts_again_after_a_start_that_failed(daemon: Daemon) -> None:
    broken = Noted("broken", [], may_start=False)
    daemon.parts.append(broken)
    with pytest.raises(OSError, match="broken"):
        daemon.start()
    broken.may_start = True
    daemon.start()
    wait_for(lambda: daemon.database.read().rows("SELECT 1 FROM cycles WHERE ended_at IS NOT NULL"))
    assert daemon.health().status == "ok"


def test_a_daemon_that_runs_what_it_is_told_may_begin_to_run_by_time_as_well(
    daemon: Daemon,
) -> None:
    daemon.start(schedule=False)
    assert daemon.scheduler.next_cycles() == {}
    daemon.start()
    daemon.start()
    assert list(daemon.scheduler.next_cycles()) == ["ingest"]


def test_a_daemon_that_was_stopped_refuses_to_start_and_says_what_to_do(daemon: Daemon) -> None:
    daemon.start()
    assert daemon.stop(PATIENCE) == 0
    assert daemon.stop(PATIENCE) == 0
    with pytest.raises(Conflict, match="make a new one"):
        daemon.start()


def test_a_daemon_that_was_never_started_lets_go_of_its_store(daemon: Daemon) -> None:
    assert daemon.stop(PATIENCE) == 0
    with pytest.raises(StoreUnavailable, match="closed"):
        daemon.database.read().row("SELECT 1")
