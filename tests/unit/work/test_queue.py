"""All runs go through one queue: limits hold for everybody together, and what was asked for is done or told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.errors import Conflict
from daemon.events import CycleEnded, CycleStarted
from daemon.pipelines.catalog import Source
from daemon.runners.handle import Run
from daemon.taxonomy import Priority, RunStatus, Trigger
from tests.unit.spine_support import (
    PATIENCE,
    Machinery,
    Store,
    in_thread,
    pipeline,
    store,
    wait_for,
)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path) as opened:
        yield opened


class Doors:
    """A pipeline whose runs each wait until theirs is opened."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self._doors: dict[str, threading.Event] = {}

    def __call__(self, run: Run) -> None:
        self.running.append(run.source)
        assert self.door(run.source).wait(PATIENCE)
        self.running.remove(run.source)

    def door(self, source: str) -> threading.Event:
        return self._doors.setdefault(source, threading.Event())

    def open(self, *sources: str) -> None:
        for source in sources:
            self.door(source).set()


def ran(target: Store) -> list[tuple[str, str]]:
    """Source and trigger of all runs, in the order in which they began."""
    assert target.writer.flush(PATIENCE)
    return target.database.read().rows("SELECT source, started_by FROM runs ORDER BY rowid")


@pytest.mark.requirement("X8")
def test_the_limit_of_a_pipeline_holds_for_cycles_people_and_retries_together(
    target: Store,
) -> None:
    doors = Doors()
    machinery = Machinery(target, pipeline(doors, "a", "b", "c", "d", concurrency=2))
    nightly = machinery.catalog.pipeline("nightly")
    first = [nightly.sources[name] for name in "ab"]
    due = machinery.cycles.begin(nightly, first, Trigger.SCHEDULE, Priority.CYCLE)
    wait_for(lambda: sorted(doors.running) == ["a", "b"])
    machinery.scheduler.run_now("nightly", "c", Trigger.RETRY, Priority.RETRY)
    machinery.scheduler.run_now("nightly", "d", Trigger.MANUAL)
    assert [(w.source, w.priority) for w in machinery.queue.waiting()] == [
        ("d", Priority.PERSON),
        ("c", Priority.RETRY),
    ]
    doors.open("a")
    wait_for(lambda: sorted(doors.running) == ["b", "d"])
    assert [work.source for work in machinery.queue.waiting()] == ["c"]
    doors.open("b", "c", "d")
    assert machinery.queue.wait(PATIENCE)
    assert due.outcome is RunStatus.SUCCESS
    assert sorted(ran(target)) == [
        *(("a", "schedule"), ("b", "schedule")),
        *(("c", "retry"), ("d", "manual")),
    ]


@pytest.mark.requirement("X8")
def test_what_a_person_asks_for_comes_before_the_rest_of_a_cycle(target: Store) -> None:
    doors = Doors()
    machinery = Machinery(target, pipeline(doors, "a", "b", "c"))
    nightly = machinery.catalog.pipeline("nightly")
    sources = [nightly.sources[name] for name in "ab"]
    machinery.cycles.begin(nightly, sources, Trigger.SCHEDULE, Priority.CYCLE)
    wait_for(lambda: doors.running == ["a"])
    machinery.scheduler.run_now("nightly", "c", Trigger.MANUAL)
    doors.open("a", "b", "c")
    assert machinery.queue.wait(PATIENCE)
    assert [source for source, _ in ran(target)] == ["a", "c", "b"]


@pytest.mark.requirement("X8", "S9")
def test_what_waits_already_is_not_asked_for_twice(target: Store) -> None:
    doors = Doors()
    machinery = Machinery(target, pipeline(doors, "a", "b"))
    machinery.scheduler.run_now("nightly", "a", Trigger.MANUAL)
    wait_for(lambda: doors.running == ["a"])
    machinery.scheduler.run_now("nightly", "b", Trigger.MANUAL)
    with pytest.raises(Conflict, match="nightly/b is queued already"):
        machinery.scheduler.run_now("nightly", "b", Trigger.MANUAL)
    doors.open("a", "b")
    assert machinery.queue.wait(PATIENCE)
    assert ran(target) == [("a", "manual"), ("b", "manual")]


def test_of_many_who_ask_for_the_same_at_once_one_is_heard(target: Store) -> None:
    doors = Doors()
    machinery = Machinery(target, pipeline(doors, "a", "b"))
    together, answers = threading.Barrier(20), list[str]()

    def ask() -> None:
        together.wait(PATIENCE)
        try:
            machinery.scheduler.run_now("nightly", None, Trigger.MANUAL)
            answers.append("asked")
        except Conflict:
            answers.append("refused")

    threads = [in_thread(ask) for _ in range(20)]
    for thread in threads:
        thread.join(PATIENCE)
    doors.open("a", "b")
    assert machinery.queue.wait(PATIENCE)
    assert sorted(answers) == ["asked"] + ["refused"] * 19
    assert sorted(ran(target)) == [("a", "manual"), ("b", "manual")]


def test_a_cycle_begins_with_its_first_run_and_not_while_it_waits(target: Store) -> None:
    doors = Doors()
    machinery = Machinery(target, pipeline(doors, "a", "b"))
    first = machinery.scheduler.run_now("nightly", "a", Trigger.MANUAL)
    second = machinery.scheduler.run_now("nightly", "b", Trigger.MANUAL)
    doors.open("a", "b")
    assert machinery.queue.wait(PATIENCE)
    assert target.writer.flush(PATIENCE)
    told = [e for e in target.events() if isinstance(e, CycleStarted | CycleEnded)]
    assert [(type(e), e.cycle_id) for e in told] == [
        *((CycleStarted, first), (CycleEnded, first)),
        *((CycleStarted, second), (CycleEnded, second)),
    ]


def test_a_pipeline_that_is_busy_keeps_no_other_waiting(target: Store) -> None:
    doors = Doors()
    machinery = Machinery(target, pipeline(doors, "a"), pipeline(doors, "b", name="hourly"))
    machinery.scheduler.run_now("nightly", None, Trigger.MANUAL)
    machinery.scheduler.run_now("hourly", None, Trigger.MANUAL)
    wait_for(lambda: sorted(doors.running) == ["a", "b"])
    doors.open("a", "b")
    assert machinery.queue.wait(PATIENCE)


def test_after_a_stop_what_runs_goes_on_and_nothing_else_has_its_turn(target: Store) -> None:
    doors = Doors()
    machinery = Machinery(target, pipeline(doors, "a", "b"))
    nightly = machinery.catalog.pipeline("nightly")
    begun = machinery.cycles.begin(nightly, nightly.sources.values(), Trigger.MANUAL)
    wait_for(lambda: doors.running == ["a"])
    machinery.queue.stop()
    machinery.queue.stop()
    late = machinery.cycles.begin(nightly, nightly.sources.values(), Trigger.MANUAL)
    assert (late.is_over, late.outcome) == (True, RunStatus.INTERRUPTED)
    assert not begun.is_over
    assert not machinery.queue.wait(0)
    doors.open("a")
    assert machinery.queue.wait(PATIENCE)
    assert begun.outcome is RunStatus.INTERRUPTED
    assert ran(target) == [("a", "manual")]


def test_an_error_in_the_machinery_itself_takes_nobody_elses_turn(
    target: Store, caplog: pytest.LogCaptureFixture
) -> None:
    versions = iter([OSError("the key cannot be read"), None])

    def version() -> str:
        if error := next(versions):
            raise error
        return "1"

    registered = pipeline(lambda run: None, "a")
    registered.sources["a"] = Source("a", True, {}, version=version)
    machinery = Machinery(target, registered)
    chosen = registered.sources.values()
    assert machinery.cycles.run(registered, chosen, Trigger.MANUAL) is RunStatus.INTERRUPTED
    assert machinery.cycles.run(registered, chosen, Trigger.MANUAL) is RunStatus.SUCCESS
    assert [record.message for record in caplog.records] == ["work failed"]
    assert ran(target) == [("a", "manual")]


def test_what_there_is_no_thread_for_waits_and_has_its_turn_once_there_is(
    target: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    doors = Doors()
    machinery = Machinery(target, pipeline(doors, "a"))
    with monkeypatch.context() as crowded:
        crowded.setattr(threading.Thread, "start", refuse)
        machinery.scheduler.run_now("nightly", "a", Trigger.MANUAL)
    assert [work.source for work in machinery.queue.waiting()] == ["a"]
    machinery.queue.look()
    doors.open("a")
    assert machinery.queue.wait(PATIENCE)
    assert ran(target) == [("a", "manual")]
