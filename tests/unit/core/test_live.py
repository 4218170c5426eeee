"""What is going on right now: complete for whoever looks, free for whoever works."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import events
from daemon.clock import FakeClock
from daemon.live import Live
from daemon.taxonomy import RunState, RunStatus
from tests.unit.spine_support import PATIENCE, START, ended, failed, started, succeeded, who


def begin(live: Live, run_id: str = "run-1", clock: FakeClock | None = None) -> None:
    event = started(run_id, (clock or FakeClock(START)).now()).event
    assert isinstance(event, events.RunStarted)
    live.begin(event)


def progress(run_id: str, current: int, total: int | None, clock: FakeClock) -> events.ProgressMade:
    return events.ProgressMade(**who(run_id, clock.now()), current=current, total=total)


@pytest.mark.requirement("S1", "F2")
def test_an_active_run_shows_its_state_step_progress_counts_and_latest_error() -> None:
    live, clock = Live(), FakeClock(START)
    begin(live)
    clock.advance(1)
    live.step(
        events.StepEntered(**who("run-1", clock.now()), state=RunState.FETCHING, text="fetching")
    )
    live.succeed(succeeded("run-1", "a", clock.now()).event)  # type: ignore[arg-type]
    live.skip(events.ItemSkipped(**who("run-1", clock.now()), count=5))
    live.fail(failed("run-1", "b", clock.now()).event, "It broke.")  # type: ignore[arg-type]
    clock.advance(1)
    live.progress(progress("run-1", 3, 9, clock))
    (run,) = live.active()
    assert (run.state, run.step, run.error_message) == (RunState.FETCHING, "fetching", "It broke.")
    assert (run.succeeded, run.failed, run.skipped) == (1, 1, 5)
    assert (run.progress_current, run.progress_total) == (3, 9)
    assert (run.started_at, run.updated_at) == (START, clock.now())


def test_what_somebody_was_told_of_a_run_does_not_change_afterwards() -> None:
    live, clock = Live(), FakeClock(START)
    begin(live)
    (told,) = live.active()
    clock.advance(1)
    live.succeed(succeeded("run-1", "a", clock.now()).event)  # type: ignore[arg-type]
    assert (told.succeeded, told.updated_at) == (0, START)
    assert live.active()[0].succeeded == 1


def test_a_further_cause_of_an_item_is_shown_but_not_counted_again() -> None:
    live = Live()
    begin(live)
    for first in (True, False):
        event = failed("run-1", "a", first_cause=first).event
        assert isinstance(event, events.ItemFailed)
        live.fail(event, f"cause {first}")
    (run,) = live.active()
    assert (run.failed, run.error_message) == (1, "cause False")


def test_a_run_that_ended_is_gone_and_leaves_nothing_behind() -> None:
    live, clock = Live(), FakeClock(START)
    begin(live)
    live.progress(progress("run-1", 1, 2, clock))
    event = ended("run-1", RunStatus.SUCCESS).event
    assert isinstance(event, events.RunEnded)
    live.end(event)
    live.end(event)
    assert live.active() == []
    assert (live._runs, live._progress) == ({}, {})


def test_the_run_that_was_updated_last_comes_first() -> None:
    live, clock = Live(), FakeClock(START)
    for name in ("run-1", "run-2", "run-3"):
        begin(live, name, clock)
        clock.advance(1)
    live.progress(progress("run-2", 1, None, clock))
    assert [run.run_id for run in live.active()] == ["run-2", "run-3", "run-1"]


def test_the_version_grows_with_every_change_but_not_with_progress() -> None:
    live, clock = Live(), FakeClock(START)
    begin(live)
    version = live.version
    live.progress(progress("run-1", 1, 2, clock))
    assert live.version == version
    live.skip(events.ItemSkipped(**who("run-1", clock.now())))
    assert live.version == version + 1
    live.skip(events.ItemSkipped(**who("unknown", clock.now())))
    assert live.version == version + 1


@given(made=st.lists(st.integers(0, 1000), min_size=1, max_size=20))
def test_only_the_newest_progress_is_kept(made: list[int]) -> None:
    live, clock = Live(), FakeClock(START)
    begin(live)
    for current in made:
        live.progress(progress("run-1", current, None, clock))
    assert live.active()[0].progress_current == made[-1]
    assert len(live._progress) == 1


@pytest.mark.requirement("S8")
def test_whoever_looks_sees_whole_runs_while_others_change_them() -> None:
    live, clock = Live(), FakeClock(START)
    stop = threading.Event()

    def work(name: str) -> None:
        while not stop.is_set():
            begin(live, name)
            for _ in range(20):
                live.succeed(succeeded(name, "a", clock.now()).event)  # type: ignore[arg-type]
                live.progress(progress(name, 1, 1, clock))
            live.end(ended(name).event)  # type: ignore[arg-type]

    threads = [threading.Thread(target=work, args=(f"run-{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        for run in live.active():
            assert 0 <= run.succeeded <= 20
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert live.active() == []
