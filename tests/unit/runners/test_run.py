"""The run handle: each call is one event, the outcome is decided once, nothing comes after the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon import events
from daemon.clock import FakeClock
from daemon.errors import Conflict
from daemon.event_codec import EventCodec
from daemon.ids import new_id
from daemon.pipelines.catalog import Registered, Source
from daemon.pipelines.contract import Pipeline
from daemon.pipelines.ingest.facts import FileFacts
from daemon.pipelines.own.config import OwnConfig
from daemon.runners.handle import Run, RunClosed
from daemon.runners.runner import Runner
from daemon.taxonomy import RunState, RunStatus, Trigger
from tests.unit.spine_support import PATIENCE, START, Store, facts, in_thread, store, wait_for


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path) as opened:
        yield opened


@pytest.fixture
def clock(target: Store) -> FakeClock:
    assert isinstance(target.clock, FakeClock)
    return target.clock


def kinds(found: list[events.AnyEvent]) -> list[str]:
    return [type(event).__name__ for event in found]


def test_each_call_is_one_event_in_order(target: Store, clock: FakeClock) -> None:
    run = target.run()
    run.step("fetching", "fetching two files")
    clock.advance(2)
    run.succeed("a.csv", facts=facts("a.csv", rows_loaded=3))
    run.skip(count=4)
    run.fail("b.csv", "it broke", in_part=True, row_count=2, sample_rows=(3, 9), column="amount")
    target.end(run)
    assert kinds(target.events()) == [
        *("RunStarted", "StepEntered", "ItemSucceeded", "ItemSkipped", "ItemFailed", "RunEnded")
    ]
    failure, end = target.events()[-2:]
    assert isinstance(failure, events.ItemFailed)
    assert (failure.step, failure.duration_seconds) == ("fetching", 2.0)
    assert (failure.row_count, failure.sample_rows, failure.column) == (2, (3, 9), "amount")
    assert isinstance(end, events.RunEnded)
    assert end.counts == events.Counts(succeeded=1, failed=1, skipped=4)
    assert (end.step, end.state, end.duration_seconds) == (
        "fetching two files",
        RunState.COMPLETED,
        2.0,
    )
    assert {event.at.utcoffset() for event in target.events()} == {START.utcoffset()}
    codec = EventCodec([FileFacts])
    for event in target.events():
        assert codec.decode(codec.encode(event)) == event


OUTCOMES: list[tuple[str, Callable[[Run], object], RunStatus]] = [
    ("nothing to do", lambda run: None, RunStatus.SUCCESS),
    ("only skipped", lambda run: run.skip("a"), RunStatus.SUCCESS),
    ("all succeeded", lambda run: run.succeed("a"), RunStatus.SUCCESS),
    ("all failed", lambda run: run.fail("a", "x"), RunStatus.FAILED),
    ("skipped and failed", lambda run: (run.skip("a"), run.fail("b", "x")), RunStatus.FAILED),
    ("one of each", lambda run: (run.succeed("a"), run.fail("b", "x")), RunStatus.PARTIAL),
    ("failed in part", lambda run: run.fail("a", "x", in_part=True), RunStatus.PARTIAL),
    ("the run itself", lambda run: run.fail(None, "x"), RunStatus.FAILED),
    ("the run, later", lambda run: (run.succeed("a"), run.fail(None, "x")), RunStatus.FAILED),
]


@pytest.mark.requirement("I2")
@pytest.mark.parametrize(
    ("report", "status"), [case[1:] for case in OUTCOMES], ids=[case[0] for case in OUTCOMES]
)
def test_the_outcome_follows_from_the_items(
    target: Store, report: Callable[[Run], object], status: RunStatus
) -> None:
    run = target.run()
    report(run)
    target.end(run)
    assert target.runs.get(run.run_id).status == status


def test_further_causes_of_an_item_count_it_once(target: Store) -> None:
    run = target.run()
    for item in ("a", "a", "b", "a"):
        run.fail(item, "x")
    target.end(run)
    failures = [event for event in target.events() if isinstance(event, events.ItemFailed)]
    assert [failure.first_cause for failure in failures] == [True, False, True, True]
    assert target.runs.get(run.run_id).failed == 3


@pytest.mark.requirement("X5")
def test_items_may_be_paths_or_numbers(target: Store) -> None:
    run = target.run()
    run.fail(Path("folder/a.csv"), "x")  # type: ignore[arg-type]
    run.succeed(7)  # type: ignore[arg-type]
    target.end(run)
    assert target.database.read().rows("SELECT item FROM failures") == [("folder/a.csv",)]
    assert target.writer.errors == 0


CALLS: list[Callable[[Run], object]] = [
    lambda run: run.step("fetching"),
    lambda run: run.progress(1, 2),
    lambda run: run.succeed("a"),
    lambda run: run.skip("a"),
    lambda run: run.fail("a", "x"),
    lambda run: run.fail(None, ValueError("x")),
]


@pytest.mark.parametrize("call", CALLS)
def test_nothing_is_reported_after_the_end(target: Store, call: Callable[[Run], object]) -> None:
    run = target.run()
    open_run = target.open_runs[run.run_id]
    target.end(run)
    before = target.events()
    with pytest.raises(RunClosed):
        call(run)
    assert open_run.end(RunStatus.FAILED) is None
    assert target.writer.flush(PATIENCE)
    assert target.events() == before
    assert target.live.active() == []


@pytest.mark.requirement("S8")
def test_progress_is_shown_at_once_and_never_stored(target: Store, clock: FakeClock) -> None:
    run = target.run()
    stored = target.writer._put
    for n in range(1, 1001):
        run.progress(n, 1000)
    assert target.writer._put == stored
    shown = target.live.active()[0]
    assert (shown.progress_current, shown.progress_total) == (1000, 1000)
    target.end(run)
    record = target.runs.get(run.run_id)
    assert (record.progress_current, record.progress_total) == (1000, 1000)
    assert "ProgressMade" not in kinds(target.events())


def test_no_number_below_zero_is_skipped(target: Store) -> None:
    with pytest.raises(ValueError, match=r"from 0 to .* as count, got -5"):
        target.run().skip(count=-5)
    assert kinds(target.events()) == ["RunStarted"]


def test_a_step_that_does_not_exist_is_refused(target: Store) -> None:
    run = target.run()
    with pytest.raises(ValueError, match="daydreaming"):
        run.step("daydreaming")


def test_a_run_remembers_that_its_pipeline_saw_it_should_stop(target: Store) -> None:
    run = target.run()
    assert not run.cancelled
    target.open_runs[run.run_id].cancel()
    assert not run.gave_up
    assert run.cancelled
    assert run.gave_up


# --- the runner --------------------------------------------------------------------------------


def registered(function: Pipeline, *sources: str) -> Registered:
    names = sources or ("one",)
    return Registered(
        "nightly",
        function,
        OwnConfig(run="a:b"),
        {name: Source(name, True, {"limit": 3}) for name in names},
    )


def carry_out(target: Store, function: Pipeline) -> RunStatus:
    target.writer.start()
    pipeline = registered(function)
    runner = Runner(target.recorder, target.clock)
    status = runner.run(pipeline, pipeline.sources["one"], "cycle", Trigger.MANUAL)
    assert runner.active == 0
    return status


def raise_(error: BaseException) -> Any:
    raise error


ENDS: list[tuple[str, Pipeline, RunStatus]] = [
    ("returns", lambda run: None, RunStatus.SUCCESS),
    ("raises", lambda run: raise_(ConnectionRefusedError(111, "refused")), RunStatus.FAILED),
    ("raises late", lambda run: (run.succeed("a"), raise_(KeyError("x")))[0], RunStatus.FAILED),
    ("exits", lambda run: raise_(SystemExit(2)), RunStatus.FAILED),
    ("reports and returns", lambda run: run.fail("a", "x"), RunStatus.FAILED),
]


@pytest.mark.requirement("X5")
@pytest.mark.parametrize(
    ("function", "status"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS]
)
def test_a_run_ends_once_and_is_on_disk_when_it_has(
    target: Store, function: Pipeline, status: RunStatus
) -> None:
    assert carry_out(target, function) is status
    assert target.database.read().rows("SELECT status FROM runs") == [(status.value,)]
    assert kinds(target.events()).count("RunEnded") == 1
    assert target.live.active() == []


def test_what_a_pipeline_raises_is_a_failure_of_the_run_with_its_triage(target: Store) -> None:
    carry_out(target, lambda run: raise_(ConnectionRefusedError(111, "Connection refused")))
    found = target.database.read().rows(
        "SELECT item, category, retryable, exception_type FROM failures"
    )
    assert found == [(None, "connection", True, "ConnectionRefusedError")]
    run = target.runs.latest("nightly", "one")
    assert run is not None
    assert (run.category, run.state) == ("connection", "error")
    assert run.suggested_action


def test_a_source_runs_once_at_a_time(target: Store) -> None:
    target.writer.start()
    began, may_end = threading.Event(), threading.Event()

    def wait(run: Any) -> None:
        began.set()
        may_end.wait(PATIENCE)

    pipeline = registered(wait)
    runner = Runner(target.recorder, target.clock)
    source = pipeline.sources["one"]
    thread = in_thread(lambda: runner.run(pipeline, source, "cycle", Trigger.MANUAL))
    assert began.wait(PATIENCE)
    assert runner.is_active("nightly", "one")
    with pytest.raises(Conflict):
        runner.run(pipeline, source, "cycle", Trigger.MANUAL)
    may_end.set()
    thread.join(PATIENCE)
    assert not runner.is_active("nightly", "one")
    assert runner.run(pipeline, source, "cycle", Trigger.MANUAL) is RunStatus.SUCCESS


@pytest.mark.requirement("S3")
def test_a_run_that_does_not_stop_is_interrupted_and_its_pipeline_reports_no_more(
    target: Store,
) -> None:
    target.writer.start()
    began, may_go_on = threading.Event(), threading.Event()
    ends: list[RunStatus] = []

    def stubborn(run: Any) -> None:
        began.set()
        may_go_on.wait(PATIENCE)
        run.succeed("too late")

    pipeline = registered(stubborn)
    runner = Runner(target.recorder, target.clock)
    source = pipeline.sources["one"]
    thread = in_thread(lambda: ends.append(runner.run(pipeline, source, "c", Trigger.MANUAL)))
    assert began.wait(PATIENCE)
    runner.cancel()
    assert runner.interrupt() == 1
    assert runner.interrupt() == 0
    may_go_on.set()
    thread.join(PATIENCE)
    assert ends == [RunStatus.INTERRUPTED]
    assert target.writer.flush(PATIENCE)
    assert target.database.read().rows("SELECT status, succeeded FROM runs") == [("interrupted", 0)]


def test_a_run_that_stops_when_asked_is_interrupted_and_one_that_finishes_is_not(
    target: Store,
) -> None:
    target.writer.start()
    began = threading.Barrier(3)
    ends: dict[str, RunStatus] = {}

    def polite(run: Any) -> None:
        began.wait(PATIENCE)
        wait_for(lambda: run.cancelled)

    def busy(run: Any) -> None:
        began.wait(PATIENCE)
        run.succeed("a")

    runner = Runner(target.recorder, target.clock)
    threads = []
    for name, function in (("polite", polite), ("busy", busy)):
        pipeline = registered(function, name)
        source = pipeline.sources[name]

        def carry(pipeline: Registered = pipeline, source: Source = source) -> None:
            ends[source.name] = runner.run(pipeline, source, "c", Trigger.MANUAL)

        threads.append(in_thread(carry))
    began.wait(PATIENCE)
    runner.cancel()
    for thread in threads:
        thread.join(PATIENCE)
    assert ends == {"polite": RunStatus.INTERRUPTED, "busy": RunStatus.SUCCESS}


def test_ids_sort_by_time_and_differ() -> None:
    clock = FakeClock(START)
    ids = []
    for _ in range(50):
        ids += [new_id(clock)]
        clock.advance(0.001)
    assert ids == sorted(ids)
    assert ids[0].startswith("20261120T120000000-")
    still = {new_id(clock) for _ in range(50)}
    assert len(still) == 50
