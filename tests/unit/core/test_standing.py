"""A source fails while failures of it are open, whatever its latest run did, and everybody says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import events
from daemon.clock import FakeClock
from daemon.pipelines.kinds import load_settings
from daemon.service import Daemon
from daemon.standing import SourceStanding, Standings
from daemon.store.entries import Entry
from daemon.store.filters import FailureFilter
from daemon.store.pending import PendingFailures
from daemon.store.standing import Standing
from daemon.taxonomy import Category, FileStatus, GroupDecision, RunStatus, Trigger
from tests.unit.spine_support import (
    PATIENCE,
    START,
    Machinery,
    Store,
    assessed,
    ended,
    failed,
    marked,
    pipeline,
    started,
    store,
    succeeded,
)

MALFORMED = assessed(category=Category.DATA_MALFORMED, group="a" * 16)
BROKEN_DISK = assessed(category=Category.WRITE_FAILURE, group="b" * 16)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def target(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    with store(tmp_path, clock) as opened:
        yield opened


class Source:
    """A source of a pipeline of one's own, whose runs do what they are told."""

    def __init__(self, target: Store) -> None:
        self.target = target
        self._work: Callable[[Any], None] = lambda _: None
        self.machinery = Machinery(target, pipeline(self._do, "orders"))

    def _do(self, run: Any) -> None:
        self._work(run)

    def run(self, work: Callable[[Any], None]) -> RunStatus:
        """What a cycle comes to in which the source does `work`."""
        self._work = work
        registered = self.machinery.catalog.pipeline("nightly")
        sources = registered.sources.values()
        outcome = self.machinery.cycles.run(registered, sources, Trigger.MANUAL)
        assert self.target.writer.flush(PATIENCE)
        return outcome

    @property
    def standing(self) -> SourceStanding:
        return self.target.standings.of("nightly", "orders")

    @property
    def latest(self) -> str:
        run = self.target.runs.latest("nightly", "orders")
        assert run is not None
        return run.status


def breaks(run: Any) -> None:
    run.succeed("a")
    run.fail("b", "the frobnicator was unfrobbed")


def skips(run: Any) -> None:
    run.skip(count=2)


def mends(run: Any) -> None:
    run.succeed("b")


def fails(_: Any) -> None:
    raise ConnectionRefusedError(111, "Connection refused")


@pytest.mark.requirement("I2", "M1")
def test_a_run_that_skips_what_is_known_to_be_broken_is_no_success_and_its_source_goes_on_failing(
    target: Store, clock: FakeClock
) -> None:
    source = Source(target)
    assert source.run(breaks) is RunStatus.PARTIAL
    for _ in range(3):
        clock.advance(60)
        assert source.run(skips) is RunStatus.PARTIAL
        assert source.latest == "partial"
        assert source.standing.failing
        assert source.standing.open_failures == 1
        assert source.standing.consecutive_failures == 1
        assert source.standing.last_success is None
        assert source.standing.failing_since == START
        assert source.standing.pending_since == {Category.UNKNOWN: START}
    run = target.runs.latest("nightly", "orders")
    assert run is not None
    assert run.error_message == "1 failure of an earlier run is still open."
    assert source.run(mends) is RunStatus.SUCCESS
    assert not source.standing.failing
    assert source.standing.last_success == clock.now()
    assert source.standing.consecutive_failures == 0


@pytest.mark.requirement("I2")
def test_a_run_that_mends_what_was_broken_in_the_same_breath_is_a_success(target: Store) -> None:
    source = Source(target)
    assert source.run(fails) is RunStatus.FAILED
    assert source.standing.consecutive_failures == 1
    assert source.run(skips) is RunStatus.SUCCESS
    assert not source.standing.failing
    assert source.run(breaks) is RunStatus.PARTIAL
    assert source.run(fails) is RunStatus.FAILED
    assert set(source.standing.categories) == {Category.UNKNOWN, Category.CONNECTION}
    assert source.run(skips) is RunStatus.PARTIAL
    assert set(source.standing.categories) == {Category.UNKNOWN}


def _decide(target: Store, group: str, decision: GroupDecision, **more: Any) -> None:
    now = target.clock.now()
    event = events.GroupDecided(at=now, failure_group=group, decision=decision, as_of=now, **more)
    target.put(Entry(event))


@pytest.mark.requirement("I2", "M7")
def test_a_group_that_is_ignored_for_a_time_makes_its_sources_fail_again_after_it(
    target: Store, clock: FakeClock
) -> None:
    source = Source(target)
    source.run(breaks)
    (group,) = target.failures.counts(FailureFilter(), "failure_group")
    _decide(target, group, GroupDecision.IGNORED, until=START + timedelta(hours=1))
    assert not source.standing.failing
    assert source.standing.open_failures == 0
    assert source.run(skips) is RunStatus.SUCCESS
    clock.advance(3600)
    assert source.standing.failing
    assert source.run(skips) is RunStatus.PARTIAL
    _decide(target, group, GroupDecision.IGNORED)
    assert not source.standing.failing
    _decide(target, group, GroupDecision.REOPENED)
    assert source.standing.failing


@pytest.mark.requirement("I2", "M7")
def test_a_group_that_is_resolved_makes_its_source_fail_only_once_it_fails_again(
    target: Store, clock: FakeClock
) -> None:
    source = Source(target)
    source.run(breaks)
    (group,) = target.failures.counts(FailureFilter(), "failure_group")
    clock.advance(60)
    _decide(target, group, GroupDecision.RESOLVED)
    assert not source.standing.failing
    clock.advance(60)
    source.run(lambda run: run.fail("c", "the frobnicator was unfrobbed"))
    assert source.standing.open_failures == 1
    assert source.standing.failing_since == clock.now()


@pytest.mark.requirement("I2", "M7")
def test_a_group_is_quiet_with_the_one_that_it_was_merged_into(target: Store) -> None:
    target.put(
        failed("run-1", "a", assessment=MALFORMED), failed("run-1", "b", assessment=BROKEN_DISK)
    )
    _decide(target, "b" * 16, GroupDecision.IGNORED)
    assert _categories(target) == {Category.DATA_MALFORMED: 1}
    merged = events.GroupsMerged(at=START, failure_groups=("a" * 16,), into="b" * 16)
    target.put(Entry(merged))
    assert _categories(target) == {}
    target.put(Entry(events.GroupUnmerged(at=START, failure_group="a" * 16)))
    assert _categories(target) == {Category.DATA_MALFORMED: 1}


def _categories(target: Store) -> dict[Category, int]:
    return target.standings.of("ingest", "orders").categories


@pytest.mark.requirement("I2", "I7")
@pytest.mark.parametrize("status", [FileStatus.QUARANTINED, FileStatus.IGNORED])
def test_a_file_that_is_set_aside_makes_no_source_fail_from_that_moment_on(
    target: Store, status: FileStatus
) -> None:
    target.put(
        started("run-1"),
        failed("run-1", "a.csv", assessment=MALFORMED),
        ended("run-1", RunStatus.FAILED, category=Category.DATA_MALFORMED),
    )
    assert target.standings.of("ingest", "orders").failing
    target.put(marked(status, "a.csv"))
    assert not target.standings.of("ingest", "orders").failing
    assert target.standings.of("ingest", "orders").consecutive_failures == 0


@pytest.mark.requirement("I2")
def test_a_source_fails_while_what_failed_is_tried_again(target: Store) -> None:
    target.put(failed("run-1", "a.csv", assessment=MALFORMED))
    target.put(marked(FileStatus.RETRYING, "a.csv"))
    standing = target.standings.of("ingest", "orders")
    assert (standing.failing, standing.open_failures) == (True, 0)
    assert standing.categories == {Category.DATA_MALFORMED: 1}
    assert standing.pending_since == {Category.DATA_MALFORMED: START}


def test_a_failure_that_could_not_be_stored_makes_its_source_fail_all_the_same(
    target: Store,
) -> None:
    target.put(started("run-1"), ended("run-1", RunStatus.FAILED, category="write_failure"))
    assert target.standings.of("ingest", "orders").categories == {Category.WRITE_FAILURE: 1}


def test_a_run_is_no_success_while_it_cannot_be_read_whether_failures_are_open(
    target: Store,
) -> None:
    target.put(failed("run-1", "a.csv", assessment=MALFORMED))
    target.database.close()
    assert target.standings.left_open("ingest", "orders") == 1
    assert target.standings.left_open("ingest", "other") == 0
    assert target.standings.of("ingest", "orders").open_failures == 1


def test_a_failure_in_place_of_another_is_open_since_it_came(target: Store) -> None:
    later = START + timedelta(minutes=1)
    target.put(*_entries(("dies", "orders", "a"), "run-1", START))
    assert target.standings.of("ingest", "orders").failing_since == START
    target.put(*_entries(("fails", "orders", "a"), "run-2", later))
    assert target.standings.of("ingest", "orders").failing_since == later


SOURCES = ("orders", "other")
Step = tuple[str, str, str]


@pytest.mark.requirement("I2", "S3")
@settings(max_examples=15, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["fails", "works", "dies", "ends", "ignored", "resolved", "aside"]),
            st.sampled_from(SOURCES),
            st.sampled_from("ab"),
        ),
        max_size=12,
    )
)
def test_a_restart_finds_every_source_as_it_stood(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    clock = FakeClock(START)
    with store(tmp_path_factory.mktemp("s"), clock) as target:
        for number, step in enumerate(steps):
            clock.advance(60)
            target.put(*_entries(step, f"20261120-{number:02}", clock.now()))
            anew = Standings(
                Standing.read(target.database),
                PendingFailures(target.database),
                clock,
                target.runs.streaks(),
            )
            for source in SOURCES:
                assert anew.of("ingest", source) == target.standings.of("ingest", source)


def _entries(step: Step, run_id: str, at: datetime) -> list[Entry]:
    what, source, item = step
    cause = MALFORMED if item == "a" else BROKEN_DISK
    begin = started(run_id, at, source=source)
    match what:
        case "fails":
            failure = failed(run_id, item, at, source=source, assessment=cause)
            return [begin, failure, ended(run_id, RunStatus.PARTIAL, at, source=source)]
        case "works":
            success = succeeded(run_id, item, at, source=source)
            return [begin, success, ended(run_id, RunStatus.SUCCESS, at, source=source)]
        case "dies":
            failure = failed(run_id, None, at, source=source, assessment=cause)
            end = ended(run_id, RunStatus.FAILED, at, source=source, category=cause.category)
            return [begin, failure, end]
        case "ends":
            return [begin, ended(run_id, RunStatus.SUCCESS, at, source=source)]
        case "aside":
            return [marked(FileStatus.IGNORED, item, at=at, source=source)]
        case _:
            return [
                Entry(
                    events.GroupDecided(
                        at=at,
                        failure_group=cause.failure_group,
                        decision=GroupDecision(what),
                        as_of=at,
                    )
                )
            ]


# --- on the daemon -----------------------------------------------------------------------------

CONFIG = """
[pipelines.ingest]
[pipelines.ingest.sources.s]
files = "in/*"
table = "t"
settle = "1ms"
columns = { id = "BIGINT", v = "VARCHAR" }
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/bad.csv").write_text("id,v\n1,a\nx,b\n")
    (tmp_path / "triaged.toml").write_text(CONFIG)
    daemon = Daemon(load_settings(tmp_path / "triaged.toml", {}))
    daemon.start(schedule=False)
    yield daemon
    daemon.stop(PATIENCE)


def cycle(daemon: Daemon) -> RunStatus:
    ingest = daemon.catalog.pipeline("ingest")
    outcome = daemon.cycles.run(ingest, ingest.sources.values(), Trigger.MANUAL)
    assert daemon.writer.flush(PATIENCE)
    return outcome


def metric(daemon: Daemon, name: str, **labels: str) -> float | None:
    return daemon.metrics.registry.get_sample_value(f"triaged_{name}", labels)


SOURCE = {"pipeline": "ingest", "source": "s"}


@pytest.mark.requirement("I2", "M1", "M7")
def test_a_broken_file_is_never_green_until_it_is_mended(daemon: Daemon, tmp_path: Path) -> None:
    for _ in range(3):
        assert cycle(daemon) is RunStatus.PARTIAL
        (category,) = daemon.standings.of("ingest", "s").categories
        assert metric(daemon, "source_failing", category=category, **SOURCE) == 1
        assert metric(daemon, "source_failures_open", **SOURCE) == 1
        assert metric(daemon, "source_consecutive_failures", **SOURCE) == 1
        assert metric(daemon, "source_last_success_timestamp_seconds", **SOURCE) is None
    (tmp_path / "in/bad.csv").write_text("id,v\n1,a\n2,b\n")
    assert cycle(daemon) is RunStatus.SUCCESS
    assert metric(daemon, "source_failing", category=category, **SOURCE) == 0
    assert metric(daemon, "source_failures_open", **SOURCE) == 0
    assert metric(daemon, "source_last_success_timestamp_seconds", **SOURCE)


@pytest.mark.requirement("I2", "M7")
@pytest.mark.parametrize("decide", ["quarantine", "ignore"])
def test_a_broken_file_that_is_set_aside_is_told_of_no_more(daemon: Daemon, decide: str) -> None:
    cycle(daemon)
    getattr(daemon.file_operations, decide)("s", ["bad.csv"])
    assert daemon.writer.flush(PATIENCE)
    assert metric(daemon, "source_failures_open", **SOURCE) == 0
    assert cycle(daemon) is RunStatus.SUCCESS


@pytest.mark.requirement("M7")
def test_what_a_removed_source_left_open_is_told_of(daemon: Daemon) -> None:
    cycle(daemon)
    assert metric(daemon, "failures_left_behind") == 0
    daemon.catalog.remove_source("ingest", "s")
    assert metric(daemon, "source_failures_open", **SOURCE) is None
    assert metric(daemon, "failures_left_behind") == 1
