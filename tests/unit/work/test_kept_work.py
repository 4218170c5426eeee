"""What a person asked for is in the store until it is done, whatever becomes of the process meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from daemon.cycles.cycles import MOST_CLAIMS
from daemon.pipelines.catalog import Registered
from daemon.runners.handle import Run
from daemon.store import upkeep, work
from daemon.taxonomy import Priority, Trigger
from tests.unit.spine_support import (
    PATIENCE,
    START,
    Machinery,
    Store,
    pipeline,
    store,
    wait_for,
)


class Waiting:
    """A pipeline that runs until it may end, or should stop."""

    def __init__(self) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()

    def __call__(self, run: Run) -> None:
        self.began.set()
        wait_for(lambda: self.may_end.is_set() or run.cancelled)


def nothing(run: Any) -> None:
    """A pipeline without work."""


def kept(target: Store) -> list[tuple[str, str, int]]:
    """What is kept: source, state and how often it had its turn."""
    assert target.writer.flush(PATIENCE)
    return target.database.read().rows("SELECT source, state, claims FROM work ORDER BY rowid")


def ended(target: Store) -> list[tuple[str, str, str]]:
    """Cycle, source and status of all runs, in their order."""
    return target.database.read().rows("SELECT cycle_id, source, status FROM runs ORDER BY rowid")


def killed(folder: Path, registered: Registered, *sources: str | None) -> list[str]:
    """A process that dies while its first run goes on, and which cycles it was asked for."""
    with store(folder) as target:
        machinery = Machinery(target, registered)
        asked = [machinery.scheduler.run_now("nightly", s, Trigger.MANUAL) for s in sources]
        wait_for(lambda: machinery.runner.active)
        wait_for(lambda: target.database.read().rows("SELECT 1 FROM runs"))
        assert target.writer.flush(PATIENCE)
        return asked


def taken_up(target: Store, registered: Registered) -> Machinery:
    """The next process."""
    with target.database.writing() as connection:
        upkeep.interrupt_unfinished(connection, START)
    machinery = Machinery(target, registered)
    machinery.cycles.take_up(work.read(target.database))
    return machinery


@pytest.mark.requirement("X3", "X8")
def test_what_waits_and_what_runs_is_kept_and_what_is_done_is_not(tmp_path: Path) -> None:
    waiting = Waiting()
    with store(tmp_path) as target:
        machinery = Machinery(target, pipeline(waiting, "a", "b"))
        machinery.scheduler.run_now("nightly", None, Trigger.MANUAL)
        assert waiting.began.wait(PATIENCE)
        assert kept(target) == [("a", "claimed", 1), ("b", "queued", 0)]
        waiting.may_end.set()
        assert machinery.queue.wait(PATIENCE)
        assert kept(target) == []


@pytest.mark.parametrize("priority", [Priority.RETRY, Priority.CYCLE])
def test_what_comes_by_itself_is_not_kept(tmp_path: Path, priority: Priority) -> None:
    with store(tmp_path) as target:
        waiting = Waiting()
        machinery = Machinery(target, pipeline(waiting, "a"))
        machinery.scheduler.run_now("nightly", None, Trigger.RETRY, priority)
        assert waiting.began.wait(PATIENCE)
        assert kept(target) == []
        waiting.may_end.set()
        assert machinery.queue.wait(PATIENCE)


@pytest.mark.requirement("X3", "X8")
def test_the_next_process_does_what_was_asked_for_under_the_ids_that_were_told(
    tmp_path: Path,
) -> None:
    first, second = killed(tmp_path, pipeline(Waiting(), "a", "b", "c"), "a", "b")
    with store(tmp_path) as target:
        machinery = taken_up(target, pipeline(nothing, "a", "b", "c"))
        assert machinery.queue.wait(PATIENCE)
        assert kept(target) == []
        assert ended(target) == [
            (first, "a", "interrupted"),
            (first, "a", "success"),
            (second, "b", "success"),
        ]
        assert target.database.read().rows(
            "SELECT cycle_id, outcome FROM cycles ORDER BY rowid"
        ) == [
            (first, "success"),
            (second, "success"),
        ]


@pytest.mark.requirement("X3", "X8")
def test_a_run_that_had_ended_is_not_run_again_though_that_was_not_noted(tmp_path: Path) -> None:
    (cycle,) = killed(tmp_path, pipeline(Waiting(), "a"), "a")
    with store(tmp_path) as target:
        with target.database.writing() as connection:
            connection.execute("UPDATE runs SET status = 'success'")
        machinery = taken_up(target, pipeline(nothing, "a"))
        assert machinery.queue.wait(PATIENCE)
        assert kept(target) == []
        assert ended(target) == [(cycle, "a", "success")]


@pytest.mark.requirement("X8")
def test_a_run_that_the_daemon_dies_in_each_time_fails_and_is_not_begun_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed(tmp_path, pipeline(Waiting(), "a"), "a")
    for _ in range(MOST_CLAIMS - 1):
        with store(tmp_path) as target:
            taken_up(target, pipeline(Waiting(), "a"))
            wait_for(
                lambda at=target: at.database.read().rows(
                    "SELECT 1 FROM runs WHERE status = 'running'"
                )
            )
            assert target.writer.flush(PATIENCE)
    with store(tmp_path) as target:
        machinery = taken_up(target, pipeline(nothing, "a"))
        assert machinery.queue.wait(PATIENCE)
        assert kept(target) == []
        statuses = [status for *_, status in ended(target)]
        assert statuses == [*["interrupted"] * MOST_CLAIMS, "failed"]
        asked = "SELECT source, item, category, retryable, retry_at FROM failures"
        assert target.database.read().rows(asked) == [("a", None, "resource", False, None)]
    assert "work that was asked for is given up" in caplog.text


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (pipeline(nothing, "a", name="hourly"), "its pipeline is gone"),
        (pipeline(nothing, "b"), "its source is gone"),
    ],
)
def test_what_was_asked_of_what_is_gone_is_given_up_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, now: Registered, reason: str
) -> None:
    killed(tmp_path, pipeline(Waiting(), "a"), "a")
    with store(tmp_path) as target:
        machinery = taken_up(target, now)
        assert machinery.queue.wait(PATIENCE)
        assert kept(target) == []
        assert len(ended(target)) == 1
    (given_up,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert vars(given_up)["reason"] == reason


def test_what_is_interrupted_in_good_order_waits_for_the_next_start(tmp_path: Path) -> None:
    waiting = Waiting()
    with store(tmp_path) as target:
        machinery = Machinery(target, pipeline(waiting, "a", "b"))
        machinery.scheduler.run_now("nightly", None, Trigger.MANUAL)
        assert waiting.began.wait(PATIENCE)
        machinery.stop()
        assert kept(target) == [("a", "queued", 0), ("b", "queued", 0)]
    with store(tmp_path) as target:
        machinery = taken_up(target, pipeline(nothing, "a", "b"))
        assert machinery.queue.wait(PATIENCE)
        assert kept(target) == []
        assert [each[1:] for each in ended(target)] == [
            *(("a", "interrupted"), ("a", "success")),
            ("b", "success"),
        ]
