"""One sweep: every source gets its run, several at a time, none stopped by another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.clock import FakeClock
from daemon.cycles.cycle import cycle_outcome
from daemon.events import CycleEnded, CycleStarted
from daemon.taxonomy import RunStatus, Trigger
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


def carry_out(machinery: Machinery) -> RunStatus:
    registered = machinery.catalog.pipeline("nightly")
    outcome = machinery.cycles.run(registered, registered.sources.values(), Trigger.MANUAL)
    assert machinery.store.writer.flush(PATIENCE)
    return outcome


def by_name(run: Any) -> None:
    """A pipeline that does what its source is called."""
    run.succeed("good")
    if run.source == "failing":
        raise ValueError("no")
    if run.source == "partial":
        run.fail("bad", "it broke")


@pytest.mark.requirement("S2", "I2")
def test_the_failure_of_one_source_does_not_stop_the_others(target: Store) -> None:
    machinery = Machinery(target, pipeline(by_name, "failing", "partial", "good"))
    assert carry_out(machinery) is RunStatus.PARTIAL
    assert target.database.read().rows("SELECT source, status FROM runs ORDER BY source") == [
        ("failing", "failed"),
        ("good", "success"),
        ("partial", "partial"),
    ]
    assert machinery.cycles.sources["nightly"].counts == {
        "pending": 0,
        "running": 0,
        "done": 2,
        "failed": 1,
    }


def test_a_retry_beside_a_cycle_leaves_no_count_below_zero(target: Store) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def wait(run: Any) -> None:
        if run.source == "slow":
            begun.set()
            assert may_end.wait(PATIENCE)

    machinery = Machinery(target, pipeline(wait, "slow", "quick"))
    registered = machinery.catalog.pipeline("nightly")
    ordinary = in_thread(lambda: carry_out(machinery))
    assert begun.wait(PATIENCE)
    machinery.cycles.carry_out(registered, registered.sources["quick"], Trigger.RETRY, None)
    counts = machinery.cycles.sources["nightly"].counts
    assert min(counts.values()) >= 0
    assert (sum(counts.values()), counts["running"]) == (2, 1), "each source counts once"
    may_end.set()
    ordinary.join(PATIENCE)
    carry_out(machinery)
    assert machinery.cycles.sources["nightly"].counts == {
        "pending": 0,
        "running": 0,
        "done": 2,
        "failed": 0,
    }


def test_a_cycle_is_told_from_its_start_to_its_end(target: Store) -> None:
    clock = target.clock
    assert isinstance(clock, FakeClock)
    machinery = Machinery(target, pipeline(lambda run: clock.advance(7), "a"))
    carry_out(machinery)
    first, *_, last = target.events()
    assert isinstance(first, CycleStarted)
    assert isinstance(last, CycleEnded)
    assert (first.sources, first.trigger) == (("a",), Trigger.MANUAL)
    assert (last.cycle_id, last.outcome) == (first.cycle_id, RunStatus.SUCCESS)
    assert last.duration_seconds == 7
    assert target.database.read().rows(
        "SELECT r.cycle_id = c.cycle_id, c.outcome, c.duration_seconds FROM runs r, cycles c"
    ) == [(True, "success", 7.0)]


@pytest.mark.requirement("S1", "S9")
def test_as_many_sources_run_at_a_time_as_are_allowed(target: Store) -> None:
    together = threading.Barrier(3)
    most, running, lock = 0, 0, threading.Lock()

    def meet(run: Any) -> None:
        nonlocal most, running
        with lock:
            running += 1
            most = max(most, running)
        together.wait(PATIENCE)
        with lock:
            running -= 1

    names = [f"source-{n}" for n in range(9)]
    machinery = Machinery(target, pipeline(meet, *names, concurrency=3))
    assert carry_out(machinery) is RunStatus.SUCCESS
    assert most == 3


def test_the_states_of_the_sources_can_be_seen_meanwhile(target: Store) -> None:
    began, may_end = threading.Event(), threading.Event()

    def wait(run: Any) -> None:
        began.set()
        assert may_end.wait(PATIENCE)

    machinery = Machinery(target, pipeline(wait, "a", "b", "c"))
    thread = in_thread(lambda: carry_out(machinery))
    assert began.wait(PATIENCE)
    counts = machinery.cycles.sources["nightly"].counts
    assert counts == {"pending": 2, "running": 1, "done": 0, "failed": 0}
    may_end.set()
    thread.join(PATIENCE)
    assert machinery.cycles.sources["nightly"].counts["done"] == 3


@pytest.mark.requirement("S3")
def test_a_cycle_that_is_stopped_begins_no_further_run_and_is_interrupted(target: Store) -> None:
    began = threading.Event()

    def polite(run: Any) -> None:
        began.set()
        wait_for(lambda: run.cancelled)

    machinery = Machinery(target, pipeline(polite, "a", "b", "c"))
    ends: list[RunStatus] = []
    thread = in_thread(lambda: ends.append(carry_out(machinery)))
    assert began.wait(PATIENCE)
    machinery.queue.stop()
    machinery.runner.cancel()
    thread.join(PATIENCE)
    assert ends == [RunStatus.INTERRUPTED]
    assert target.database.read().rows("SELECT source, status FROM runs") == [("a", "interrupted")]
    assert target.database.read().rows("SELECT outcome FROM cycles") == [("interrupted",)]


def test_a_source_that_is_running_already_is_left_out(target: Store) -> None:
    began, may_end = threading.Event(), threading.Event()

    def wait(run: Any) -> None:
        if run.source == "a":
            began.set()
            assert may_end.wait(PATIENCE)

    machinery = Machinery(target, pipeline(wait, "a", "b"))
    registered = machinery.catalog.pipeline("nightly")
    source = registered.sources["a"]
    thread = in_thread(lambda: machinery.runner.run(registered, source, "c", Trigger.RETRY))
    assert began.wait(PATIENCE)
    assert carry_out(machinery) is RunStatus.SUCCESS
    may_end.set()
    thread.join(PATIENCE)
    assert target.database.read().rows(
        "SELECT source, count(*) FROM runs GROUP BY ALL ORDER BY 1"
    ) == [
        ("a", 1),
        ("b", 1),
    ]


statuses = st.lists(
    st.sampled_from([s for s in RunStatus if s is not RunStatus.RUNNING]), max_size=6
)


@given(found=statuses)
def test_what_a_cycle_came_to_follows_from_its_runs(found: list[RunStatus]) -> None:
    outcome = cycle_outcome(found)
    if {RunStatus.INTERRUPTED, RunStatus.CANCELLED} & set(found):
        assert outcome is RunStatus.INTERRUPTED
    elif all(status is RunStatus.SUCCESS for status in found):
        assert outcome is RunStatus.SUCCESS
    elif all(status is RunStatus.FAILED for status in found):
        assert outcome is RunStatus.FAILED
    else:
        assert outcome is RunStatus.PARTIAL
