"""Runs that had nothing to do leave the others room, however many they are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.idle_runs import IdleRuns
from daemon.store.entries import Entry
from daemon.store.runs import RunFilter
from daemon.taxonomy import RunStatus
from tests.unit.spine_support import START, Store, ended, failed, insert, started, store

SOURCES = ("a", "b", "c", "d")
ALL = RunFilter(ended=True)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path) as opened:
        yield opened


def run_id(number: int) -> str:
    return f"20261120T{number:09}-00000000"


def a_run(number: int, source: str, status: RunStatus, at: datetime) -> list[Entry]:
    where = {"source": source}
    entries = [started(run_id(number), at, **where), ended(run_id(number), status, at, **where)]
    return [entries[0], failed(run_id(number), None, at, **where), entries[1]][
        :: 1 if status is RunStatus.FAILED else 2
    ]


@pytest.mark.requirement("I2", "F2")
def test_a_week_of_runs_without_work_hides_no_failure_of_its_monday(target: Store) -> None:
    entries = a_run(0, "a", RunStatus.FAILED, START)
    week = 7 * 24 * 60
    for number in range(1, week):
        source = SOURCES[number % len(SOURCES)]
        entries += a_run(number, source, RunStatus.SUCCESS, START + timedelta(minutes=number))
    insert(target.database, entries)
    idle = IdleRuns(target.runs.idle_streaks())
    for limit in (2, 5, 50):
        page = idle.newest(target.runs, ALL, limit)
        assert page.runs[0].run_id == run_id(week - 1)
        assert page.runs[-1].run_id == run_id(0)
        assert len(page.runs) == min(limit, len(SOURCES) + 1)
        assert page.next_cursor is None
    streak = idle.by_run()[run_id(week - 1)]
    assert (streak.runs, streak.since) == (week // 4, START + timedelta(minutes=3))


def test_pages_hold_every_run_that_did_something_once(target: Store) -> None:
    entries = []
    for number in range(40):
        status = RunStatus.SUCCESS if number % 3 else RunStatus.FAILED
        entries += a_run(number, SOURCES[number % 4], status, START)
    insert(target.database, entries)
    idle = IdleRuns(target.runs.idle_streaks())
    found: list[str] = []
    cursor: str | None = None
    while not found or cursor is not None:
        page = idle.page(target.runs, ALL, 4, cursor)
        found += [run.run_id for run in page.runs if run.status == "failed"]
        cursor = page.next_cursor
    assert found == [run_id(number) for number in range(39, -1, -3)]


ENDS = [RunStatus.SUCCESS, RunStatus.PARTIAL, RunStatus.FAILED, RunStatus.INTERRUPTED]


@settings(max_examples=15, deadline=None)
@given(ends=st.lists(st.tuples(st.sampled_from(SOURCES), st.sampled_from(ENDS)), max_size=12))
def test_a_restart_finds_the_same_streaks_as_counting_along(
    tmp_path_factory: pytest.TempPathFactory, ends: list[tuple[str, RunStatus]]
) -> None:
    with store(tmp_path_factory.mktemp("s")) as target:
        along = IdleRuns()
        target.recorder.subscribe(along.follow)
        for number, (source, status) in enumerate(ends):
            target.put(*a_run(number, source, status, START + timedelta(minutes=number)))
            anew = IdleRuns(target.runs.idle_streaks())
            assert anew.by_run() == along.by_run()
