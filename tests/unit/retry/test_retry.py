"""What failed is tried again when it may help, as often as it may, and not at all where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.clock import FakeClock, SystemClock
from daemon.config import RetryConfig
from daemon.gate import Gate, Reason
from daemon.pipelines.catalog import Source
from daemon.retry.automatic import AutomaticRetries, budget_window
from daemon.retry.budget import HOUR, Budget
from daemon.runners.handle import Run
from daemon.store.entries import FailedRun
from daemon.store.filters import FailureFilter
from daemon.taxonomy import Category, Trigger
from tests.unit.spine_support import PATIENCE, START, Machinery, Store, pipeline, store, wait_for

A = Source("a", True, {}, version=lambda: "now")


def failed(
    category: Category = Category.CONNECTION,
    *,
    attempt: int = 1,
    after: float | None = 60,
    run_id: str = "run",
    source: str = "a",
) -> FailedRun:
    retryable = category is not Category.AUTHENTICATION
    due = None if after is None else START + timedelta(seconds=after)
    return FailedRun("nightly", source, run_id, category, retryable, attempt, START, due)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def gate(clock: FakeClock) -> Gate:
    return Gate(clock, breaker_after=5, breaker_pause=900)


@pytest.mark.requirement("F5")
def test_refused_credentials_are_held_till_somebody_acts(gate: Gate, clock: FakeClock) -> None:
    gate.fail(failed(Category.AUTHENTICATION, after=None))
    clock.advance(1e6)
    waiting = gate.waiting("nightly", A)
    assert waiting is not None
    assert (waiting.reason, waiting.until) == (Reason.HELD, None)
    assert gate.retry_due("nightly", "a") is None
    gate.clear("nightly", "a")
    assert gate.waiting("nightly", A) is None


@pytest.mark.requirement("F5")
def test_refused_credentials_are_tried_again_once_they_are_others(gate: Gate) -> None:
    gate.fail(failed(Category.AUTHENTICATION, after=None), "now")
    assert gate.waiting("nightly", A) is not None
    gate.fail(failed(Category.AUTHENTICATION, after=None, run_id="later"), "before")
    assert gate.waiting("nightly", A) is None


@pytest.mark.requirement("F5")
def test_what_is_held_runs_in_the_next_cycle_once_its_credentials_change(tmp_path: Path) -> None:
    jobs, credentials = Attempts(REFUSED, times=1), ["wrong"]
    registered = pipeline(jobs, "a", every=0.05)
    registered.sources["a"] = Source("a", True, {}, version=lambda: credentials[0])
    with store(tmp_path, SystemClock()) as target:
        machinery = Machinery(target, registered)
        retries = AutomaticRetries(
            RetryConfig(), machinery.catalog, machinery.gate, machinery.scheduler, target.clock
        )
        target.recorder.subscribe(retries.follow)
        machinery.scheduler.start()
        cycles = "SELECT count(*) FROM cycles WHERE outcome = 'failed'"
        wait_for(lambda: target.database.read().rows(cycles)[0][0] >= 4)
        assert jobs.count == 1
        credentials[0] = "right"
        wait_for(lambda: jobs.count > 1)
        machinery.stop()


@pytest.mark.requirement("F5")
def test_a_source_waits_till_its_retry_is_due(gate: Gate, clock: FakeClock) -> None:
    gate.fail(failed(after=60))
    waiting = gate.waiting("nightly", A)
    assert waiting is not None
    assert (waiting.reason, waiting.until) == (Reason.BACKOFF, START + timedelta(seconds=60))
    clock.advance(60)
    assert gate.waiting("nightly", A) is None


def test_the_breaker_opens_after_failures_in_a_row_and_lets_one_attempt_through_at_a_time(
    gate: Gate, clock: FakeClock
) -> None:
    gate.fail(failed(attempt=5, after=60))
    waiting = gate.waiting("nightly", A)
    assert waiting is not None
    assert (waiting.reason, waiting.until) == (Reason.BREAKER, START + timedelta(seconds=900))
    assert gate.retry_due("nightly", "a") == waiting.until
    clock.advance(900)
    assert gate.waiting("nightly", A) is None


def test_a_failure_that_retrying_cannot_help_keeps_no_cycle_back(gate: Gate) -> None:
    lasting = FailedRun(
        "nightly", "a", "run", Category.CONFIGURATION, False, 9, START, retry_at=None
    )
    gate.fail(lasting)
    assert gate.waiting("nightly", A) is None
    assert gate.retry_due("nightly", "a") is None


@given(order=st.permutations([Category.AUTHENTICATION, Category.CONNECTION, Category.RATE_LIMIT]))
def test_of_several_causes_of_one_run_the_one_that_waits_longest_counts(
    order: list[Category],
) -> None:
    after = {Category.AUTHENTICATION: None, Category.CONNECTION: 5, Category.RATE_LIMIT: 60}
    gate = Gate(FakeClock(START), 5, 900)
    for category in order:
        gate.fail(failed(category, after=after[category]))
    waiting = gate.waiting("nightly", A)
    assert waiting is not None
    assert waiting.reason is Reason.HELD


@given(
    times=st.lists(st.integers(0, 5 * 3600), max_size=60).map(sorted),
    limits=st.tuples(st.integers(1, 5), st.integers(1, 8)),
)
def test_no_hour_has_more_retries_than_the_budget_and_none_is_refused_without_need(
    times: list[int], limits: tuple[int, int]
) -> None:
    budget = Budget()
    names = [("source", limits[0]), ("category", limits[1])]
    taken: list[int] = []
    for now in times:
        within = [moment for moment in taken if moment > now - HOUR]
        wait = budget.spend(now, names)
        assert (wait == 0) == (len(within) < min(limits))
        if wait == 0:
            taken.append(now)
        else:
            later = [moment for moment in taken if moment > now + wait - HOUR]
            assert len(later) < min(limits)


class Attempts:
    """An own pipeline that fails so many times."""

    def __init__(self, error: Exception, times: int = 1_000_000) -> None:
        self.error: Exception | None = error
        self.times = times
        self.count = 0

    def __call__(self, run: Run) -> None:
        self.count += 1
        if self.error is not None and self.count <= self.times:
            raise self.error


@contextmanager
def retrying(
    target: Store, function: Callable[[Run], None], version: str = "1", **limits: int
) -> Iterator[tuple[Machinery, AutomaticRetries]]:
    """A daemon's scheduler with retries, over a store whose clock stands still."""
    registered = pipeline(function, "a")
    registered.sources["a"] = Source("a", True, {}, version=lambda: version)
    machinery = Machinery(target, registered)
    config = RetryConfig(**limits)
    retries = AutomaticRetries(
        config, machinery.catalog, machinery.gate, machinery.scheduler, target.clock
    )
    retries.remember(target.runs.failed_sources(), target.runs.retried(budget_window(START)))
    target.recorder.subscribe(retries.follow)
    machinery.scheduler.start()
    retries.start()
    try:
        yield machinery, retries
    finally:
        machinery.stop()


def run_once(target: Store, machinery: Machinery) -> None:
    machinery.scheduler.run_now("nightly", "a", Trigger.MANUAL)
    assert machinery.queue.wait(PATIENCE)
    assert target.writer.flush(PATIENCE)


def triggers(target: Store) -> list[str]:
    """What started the runs, oldest first."""
    rows = target.database.read().rows("SELECT started_by FROM runs ORDER BY rowid")
    return [row[0] for row in rows]


RESET = ConnectionResetError(104, "Connection reset by peer")
REFUSED = RuntimeError("401 Client Error: Unauthorized for url: https://api.example.com/v1")


# The clock of these tests stands in the past, so whatever is due later is due at once.


@pytest.mark.requirement("F5")
def test_a_run_that_failed_for_a_passing_reason_is_run_again_and_resolved(tmp_path: Path) -> None:
    jobs = Attempts(RESET, times=3)
    with store(tmp_path) as target, retrying(target, jobs) as (machinery, retries):
        run_once(target, machinery)
        wait_for(lambda: jobs.count == 4 and retries.pending() == {"nightly": 0})
        assert triggers(target) == ["manual", "retry", "retry", "retry"]
        found = target.failures.page(FailureFilter(), 10).failures
        assert [f.attempt for f in found] == [3, 2, 1]
        assert {f.status for f in found} == {"resolved"}


@pytest.mark.requirement("F5")
def test_what_is_due_survives_a_restart_and_is_done_once(tmp_path: Path) -> None:
    jobs = Attempts(RESET, times=1)
    with store(tmp_path) as target:
        machinery = Machinery(target, pipeline(jobs, "a"))
        run_once(target, machinery)
        machinery.stop()
    with store(tmp_path) as target, retrying(target, jobs) as (_, retries):
        wait_for(lambda: jobs.count == 2 and retries.pending() == {"nightly": 0})
        assert triggers(target) == ["manual", "retry"]


@pytest.mark.requirement("F5")
@pytest.mark.parametrize(("version", "left_out"), [("1", True), ("2", False)])
def test_refused_credentials_are_held_across_restarts_till_the_configuration_changes(
    tmp_path: Path, version: str, left_out: bool
) -> None:
    jobs = Attempts(REFUSED)
    with store(tmp_path) as target, retrying(target, jobs) as (machinery, _):
        run_once(target, machinery)
        assert machinery.gate.waiting("nightly", machinery.catalog.source("nightly", "a"))
    with store(tmp_path) as target, retrying(target, jobs, version) as (machinery, retries):
        source = machinery.catalog.source("nightly", "a")
        assert (machinery.gate.waiting("nightly", source) is not None) == left_out
        assert retries.pending() == {"nightly": 0}
        assert jobs.count == 1


def test_a_person_may_run_what_is_held_and_success_lets_it_go(tmp_path: Path) -> None:
    jobs = Attempts(REFUSED, times=1)
    with store(tmp_path) as target, retrying(target, jobs) as (machinery, _):
        run_once(target, machinery)
        run_once(target, machinery)
        assert machinery.gate.waiting("nightly", A) is None
        assert triggers(target) == ["manual", "manual"]


def test_the_budget_ends_a_storm_of_retries_and_loses_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = Attempts(RESET)
    with (
        store(tmp_path) as target,
        retrying(target, jobs, source_budget=3) as (machinery, retries),
    ):
        run_once(target, machinery)
        wait_for(lambda: any(r.message.startswith("a retry waits") for r in caplog.records))
        assert triggers(target) == ["manual", *["retry"] * 3]
        assert retries.pending() == {"nightly": 1}


def test_a_cycle_leaves_out_what_waits_and_is_no_success(tmp_path: Path) -> None:
    jobs = Attempts(REFUSED)
    registered = pipeline(jobs, "a", "b", every=3600.0)
    with store(tmp_path, SystemClock()) as target:
        machinery = Machinery(target, registered)
        machinery.gate.fail(failed(Category.AUTHENTICATION, after=None))
        jobs.error = None
        machinery.scheduler.start()
        outcome = wait_for(
            lambda: target.database.read().rows(
                "SELECT outcome FROM cycles WHERE outcome IS NOT NULL"
            )
        )
        assert outcome == [("partial",)]
        assert target.database.read().rows("SELECT source FROM runs") == [("b",)]
        machinery.stop()


def test_a_source_that_is_switched_off_is_not_run_again_by_itself(tmp_path: Path) -> None:
    jobs = Attempts(RESET)
    with store(tmp_path) as target, retrying(target, jobs) as (machinery, retries):
        machinery.catalog.pipeline("nightly").sources["a"] = Source("a", False, {})
        run_once(target, machinery)
        retries.start()
        run_once(target, machinery)
        assert triggers(target) == ["manual", "manual"]
