"""Cycles run when they are due, one at a time for a pipeline; what did not run is counted with its reason."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.clock import FakeClock, SystemClock
from daemon.config.values import Duration
from daemon.errors import Conflict, NotFound
from daemon.events import CycleEnded, CycleEvent, CycleSkipped, CycleStarted
from daemon.pipelines.own.config import OwnConfig
from daemon.scheduler import check_schedule, make_trigger
from daemon.taxonomy import Trigger
from tests.unit.spine_support import PATIENCE, Machinery, Store, pipeline, store, wait_for

SHORT, LONG = Duration(0.05), Duration(3600)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path, SystemClock()) as opened:
        yield opened


class Gate:
    """A pipeline that runs until it may end."""

    def __init__(self) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()

    def __call__(self, run: Any) -> None:
        self.began.set()
        assert self.may_end.wait(PATIENCE)


def nothing(run: Any) -> None:
    """A pipeline without work."""


def skipped(target: Store, reason: str) -> list[CycleSkipped]:
    found = [event for event in target.events() if isinstance(event, CycleSkipped)]
    return [event for event in found if event.reason == reason]


def started(target: Store) -> list[CycleStarted]:
    return [event for event in target.events() if isinstance(event, CycleStarted)]


def test_a_pipeline_with_an_interval_runs_at_once_and_again(target: Store) -> None:
    machinery = Machinery(target, pipeline(nothing, "a", "b", every=SHORT))
    machinery.scheduler.start()
    wait_for(lambda: len(started(target)) >= 3)
    machinery.stop()
    assert {event.trigger for event in started(target)} == {Trigger.SCHEDULE}
    assert started(target)[0].sources == ("a", "b")


def test_a_disabled_source_is_left_out_of_cycles_but_can_be_run_on_demand(target: Store) -> None:
    machinery = Machinery(target, pipeline(nothing, "a", "b", disabled="b", every=LONG))
    machinery.scheduler.start()
    wait_for(lambda: started(target))
    machinery.scheduler.run_now("nightly", "b", Trigger.MANUAL)
    wait_for(lambda: len(started(target)) == 2)
    machinery.stop()
    assert [event.sources for event in started(target)] == [("a",), ("b",)]


@pytest.mark.requirement("M1")
def test_a_cycle_that_is_due_while_the_one_before_still_runs_counts_as_overlap(
    target: Store,
) -> None:
    gate = Gate()
    machinery = Machinery(target, pipeline(gate, every=SHORT))
    machinery.scheduler.start()
    assert gate.began.wait(PATIENCE)
    wait_for(lambda: skipped(target, "overlap"))
    assert len(started(target)) == 1
    gate.may_end.set()
    wait_for(lambda: len(started(target)) > 1)
    machinery.stop()
    assert {event.pipeline for event in skipped(target, "overlap")} == {"nightly"}


@pytest.mark.requirement("S2", "M1")
def test_a_source_that_takes_long_holds_none_of_the_others_and_is_counted(target: Store) -> None:
    gate, runs = Gate(), []

    def work(run: Any) -> None:
        runs.append(run.source)
        if run.source == "slow":
            gate(run)

    machinery = Machinery(target, pipeline(work, "slow", "quick", concurrency=2, every=SHORT))
    machinery.scheduler.start()
    wait_for(lambda: runs.count("quick") >= 3)
    assert runs.count("slow") == 1
    left_out = wait_for(lambda: [e for e in skipped(target, "overlap") if e.began])
    assert {event.sources for event in left_out} == {("slow",)}
    assert started(target)[1].sources == ("quick",)
    gate.may_end.set()
    wait_for(lambda: runs.count("slow") > 1)
    machinery.stop()


@pytest.mark.requirement("M1")
def test_a_cycle_that_could_not_start_in_time_counts_as_missed(tmp_path: Path) -> None:
    late = FakeClock(datetime.now(UTC) - timedelta(minutes=90))
    with store(tmp_path, late) as target:
        machinery = Machinery(target, pipeline(nothing, every=LONG, misfire_grace=Duration(5)))
        machinery.scheduler.start()
        assert wait_for(lambda: skipped(target, "missed"))[0].pipeline == "nightly"
        machinery.stop()
        assert started(target) == []


@pytest.mark.requirement("M1", "S9")
def test_a_paused_pipeline_runs_no_cycle_and_counts_it_until_it_is_resumed(target: Store) -> None:
    machinery = Machinery(target, pipeline(nothing, every=SHORT), paused=["nightly"])
    machinery.scheduler.start()
    wait_for(lambda: len(skipped(target, "paused")) >= 2)
    assert started(target) == []
    assert machinery.scheduler.describe()[0].paused
    machinery.scheduler.set_paused("nightly", False)
    wait_for(lambda: started(target))
    machinery.scheduler.set_paused("nightly", True)
    machinery.queue.wait(PATIENCE)
    machinery.scheduler.run_now("nightly", None, Trigger.MANUAL)
    wait_for(lambda: started(target)[-1].trigger is Trigger.MANUAL)
    machinery.stop()


def test_upkeep_runs_though_it_is_late_and_is_never_counted_as_a_cycle(tmp_path: Path) -> None:
    late = FakeClock(datetime.now(UTC) - timedelta(minutes=90))
    done = threading.Event()
    with store(tmp_path, late) as target:
        machinery = Machinery(target, pipeline(nothing))
        machinery.scheduler.start()
        machinery.scheduler.every(LONG, "upkeep", done.set)
        assert done.wait(PATIENCE)
        machinery.stop()
        assert target.writer.flush(PATIENCE)
        assert target.events() == []


@pytest.mark.requirement("S9")
def test_run_now_says_the_id_of_its_cycle_and_refuses_a_source_that_runs(target: Store) -> None:
    gate = Gate()
    machinery = Machinery(target, pipeline(gate, "a", "b", concurrency=2))
    cycle = machinery.scheduler.run_now("nightly", "a", Trigger.MANUAL)
    assert gate.began.wait(PATIENCE)
    with pytest.raises(Conflict, match="running"):
        machinery.scheduler.run_now("nightly", "a", Trigger.MANUAL)
    assert machinery.scheduler.describe()[0].running
    machinery.scheduler.run_now("nightly", None, Trigger.RETRY)
    wait_for(lambda: machinery.runner.is_active("nightly", "b"))
    with pytest.raises(Conflict):
        machinery.scheduler.run_now("nightly", None, Trigger.MANUAL)
    gate.may_end.set()
    assert machinery.queue.wait(PATIENCE)
    assert target.writer.flush(PATIENCE)
    assert [(e.cycle_id == cycle, e.sources) for e in started(target)] == [
        (True, ("a",)),
        (False, ("b",)),
    ]
    assert not machinery.scheduler.describe()[0].running
    machinery.stop()


def test_run_now_knows_no_other_pipelines_and_sources(target: Store) -> None:
    machinery = Machinery(target, pipeline(nothing, "a", disabled="a"))
    with pytest.raises(NotFound):
        machinery.scheduler.run_now("other", None, Trigger.MANUAL)
    with pytest.raises(NotFound):
        machinery.scheduler.run_now("nightly", "b", Trigger.MANUAL)
    with pytest.raises(Conflict, match="no sources"):
        machinery.scheduler.run_now("nightly", None, Trigger.MANUAL)


def test_waiting_for_cycles_ends_when_they_do_or_the_time_is_up(target: Store) -> None:
    gate = Gate()
    machinery = Machinery(target, pipeline(gate))
    assert machinery.queue.wait(0)
    machinery.scheduler.run_now("nightly", None, Trigger.MANUAL)
    assert gate.began.wait(PATIENCE)
    assert not machinery.queue.wait(0.05)
    gate.may_end.set()
    assert machinery.queue.wait(PATIENCE)
    assert target.writer.flush(PATIENCE)
    assert [type(e) for e in target.events() if isinstance(e, CycleEvent)] == [
        CycleStarted,
        CycleEnded,
    ]


# --- start and stop ----------------------------------------------------------------------------


def test_starting_twice_schedules_once(target: Store) -> None:
    machinery = Machinery(target, pipeline(nothing, every=LONG))
    machinery.scheduler.start()
    machinery.scheduler.start()
    wait_for(lambda: started(target))
    machinery.stop()
    assert target.writer.flush(PATIENCE)
    assert len(started(target)) == 1


def test_stopping_twice_or_before_a_start_does_nothing_more(target: Store) -> None:
    machinery = Machinery(target, pipeline(nothing, every=SHORT))
    machinery.scheduler.stop()
    machinery.scheduler.stop()
    machinery.scheduler.start()
    wait_for(lambda: started(target))
    machinery.stop()
    machinery.scheduler.stop()


def test_nothing_starts_on_demand_once_no_turns_come(target: Store) -> None:
    machinery = Machinery(target, pipeline(nothing, every=LONG))
    machinery.queue.stop()
    with pytest.raises(Conflict, match="stopping"):
        machinery.scheduler.run_now("nightly", None, Trigger.MANUAL)


def test_nothing_starts_by_time_after_a_stop(target: Store) -> None:
    machinery = Machinery(target, pipeline(nothing, every=LONG))
    machinery.scheduler.start()
    wait_for(lambda: started(target))
    machinery.scheduler.stop()
    machinery.scheduler.every(SHORT, "upkeep", lambda: pytest.fail("upkeep ran"))
    assert machinery.scheduler.describe()[0].next_run_at is None
    assert machinery.queue.wait(PATIENCE)
    assert target.writer.flush(PATIENCE)
    assert len(started(target)) == 1


def test_a_run_that_goes_on_when_the_scheduler_stops_is_left_to_end(target: Store) -> None:
    gate = Gate()
    machinery = Machinery(target, pipeline(gate, every=LONG))
    machinery.scheduler.start()
    assert gate.began.wait(PATIENCE)
    machinery.scheduler.stop()
    assert not machinery.queue.wait(0.05)
    gate.may_end.set()
    assert machinery.queue.wait(PATIENCE)
    assert target.database.read().rows("SELECT status FROM runs") == [("success",)]


# --- schedules ---------------------------------------------------------------------------------


def test_pipelines_are_described_with_their_schedule(target: Store) -> None:
    machinery = Machinery(
        target,
        pipeline(nothing, name="weekly", cron="30 4 * * mon"),
        pipeline(nothing, name="hourly", every=LONG),
        pipeline(nothing, name="asked"),
        paused=["hourly"],
    )
    machinery.scheduler.start()
    asked, hourly, weekly = machinery.scheduler.describe()
    assert (asked.name, asked.next_run_at, asked.cron, asked.interval_seconds) == (
        *("asked", None),
        *(None, None),
    )
    assert hourly.interval_seconds == 3600
    assert hourly.next_run_at is not None
    assert weekly.next_run_at is not None
    when = weekly.next_run_at
    assert (when.weekday(), when.hour, when.minute) == (0, 4, 30)
    assert when.utcoffset() == timedelta(0)
    assert machinery.scheduler.next_cycles() == {
        "hourly": hourly.next_run_at.timestamp(),
        "weekly": when.timestamp(),
    }
    machinery.stop()


@pytest.mark.requirement("X2")
@pytest.mark.parametrize("cron", ["", "daily", "* * * *", "60 * * * *", "* * * * * *", "@hourly"])
def test_a_crontab_that_is_none_is_reported_with_its_key(cron: str) -> None:
    (problem,) = check_schedule("nightly", OwnConfig(run="a:b", cron=cron))
    assert problem.where == "pipelines.nightly.cron"
    assert "0 3 * * *" in problem.expected


fields = st.text("0123456789*/-,LW# monjan?", max_size=6)


@given(cron=st.lists(fields, min_size=4, max_size=6).map(" ".join) | st.text(max_size=20))
def test_any_crontab_is_a_schedule_or_a_problem(cron: str) -> None:
    config = OwnConfig(run="a:b", cron=cron)
    if not check_schedule("nightly", config):
        assert make_trigger(config) is not None


@given(seconds=st.floats(1e-6, 36_500 * 86400.0))
def test_any_interval_is_a_schedule(seconds: float) -> None:
    config = OwnConfig(run="a:b", every=Duration(seconds))
    assert check_schedule("nightly", config) == []
    assert make_trigger(config) is not None
