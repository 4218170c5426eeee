"""`mode = "process"` in the configuration: own pipelines and ingest, run by the whole daemon."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import duckdb
import pytest

from daemon.composition.checks import check
from daemon.pipelines.kinds import KINDS, load_settings
from daemon.service import Daemon
from daemon.store.filters import FailureFilter
from tests.unit.spine_support import PATIENCE, wait_for

OWN = """
[pipelines.thumbnails]
run = "{module}:make"
mode = "process"
concurrency = 2
run_memory_limit = "300MB"
[pipelines.thumbnails.sources.good]
[pipelines.thumbnails.sources.bad]
"""
INGEST = """
[pipelines.ingest]
mode = "process"
database = "warehouse.duckdb"
concurrency = 2
[pipelines.ingest.sources.orders]
files = "orders/*.csv"
table = "orders"
[pipelines.ingest.sources.returns]
files = "returns/*.csv"
table = "returns"
"""
Start = Callable[[str], Daemon]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    begun: list[Daemon] = []

    def begin(text: str) -> Daemon:
        (tmp_path / "triaged.toml").write_text(text)
        begun.append(Daemon(load_settings(tmp_path / "triaged.toml", {})))
        begun[-1].start()
        return begun[-1]

    yield begin
    for daemon in begun:
        daemon.stop(PATIENCE)


def ends(daemon: Daemon, pipeline: str) -> list[tuple[object, ...]]:
    """Runs that have ended, by source."""
    return daemon.database.read().rows(
        "SELECT source, status, succeeded, failed, skipped FROM runs "
        "WHERE pipeline = ? AND status <> 'running' ORDER BY source, started_at",
        [pipeline],
    )


def all_ended(daemon: Daemon, runs: int) -> bool:
    """Whether so many runs have ended and their sources are free again."""
    running = any(pipeline.running for pipeline in daemon.scheduler.describe())
    return not running and len(ends(daemon, "ingest")) == runs


@pytest.mark.requirement("X7", "X5")
def test_of_two_sources_the_one_that_crashes_fails_alone(tmp_path: Path, start: Start) -> None:
    (tmp_path / "thumbnails_that_crash.py").write_text(
        "import os\n"
        "def make(run):\n"
        "    run.succeed(str(os.getpid()))\n"
        "    if run.source == 'bad':\n"
        "        os.abort()\n"
    )
    daemon = start(OWN.format(module="thumbnails_that_crash"))
    daemon.pipeline_operations.run_now("thumbnails")
    wait_for(lambda: len(ends(daemon, "thumbnails")) == 2)
    assert ends(daemon, "thumbnails") == [
        ("bad", "failed", 1, 0, 0),
        ("good", "success", 1, 0, 0),
    ]
    (failure,) = daemon.failures.page(FailureFilter(), 10).failures
    assert (failure.source, failure.category, failure.retryable) == ("bad", "resource", True)
    assert daemon.automatic_retries.pending() == {"thumbnails": 1}
    assert "thumbnails_that_crash" not in sys.modules


@pytest.mark.requirement("X7", "I1")
def test_files_are_ingested_by_processes_that_take_turns_at_the_warehouse(
    tmp_path: Path, start: Start
) -> None:
    for name in ("orders", "returns"):
        (tmp_path / name).mkdir()
        for number in range(3):
            place = tmp_path / name / f"{number}.csv"
            place.write_text(f"id,amount\n{number},1.5\nx,2\n" if number else "id,amount\n1,1.5\n")
            os.utime(place, (1, 1))
    daemon = start(INGEST)
    for runs in (2, 4):
        daemon.pipeline_operations.run_now("ingest")
        wait_for(partial(all_ended, daemon, runs))
    assert [run[1:] for run in ends(daemon, "ingest")[::2]] == [("partial", 1, 2, 0)] * 2
    assert [run[1:] for run in ends(daemon, "ingest")[1::2]] == [("partial", 0, 0, 3)] * 2
    assert daemon.files.badge("orders").partial == 2
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchall() == [(3,)]


@pytest.mark.requirement("X2")
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def make(run): ...", None),
        ("def other(run): ...", "has no function 'make'"),
        ("import nothing_of_that_name", "nothing_of_that_name"),
        ("import os; os.abort()", "ends with code -6"),
    ],
)
def test_code_for_a_process_is_checked_in_one(tmp_path: Path, code: str, words: str | None) -> None:
    name = "checked_in_a_process"
    (tmp_path / f"{name}.py").write_text(code)
    (tmp_path / "triaged.toml").write_text(OWN.format(module=name))
    found = check(load_settings(tmp_path / "triaged.toml", {}), KINDS)
    assert [words in problem.expected for problem in found] == ([True] if words else [])
    assert [problem.where for problem in found] == ["triaged.toml: pipelines.thumbnails.run"] * len(
        found
    )
    assert name not in sys.modules
