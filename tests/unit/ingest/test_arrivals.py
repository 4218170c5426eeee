"""An ingestion that expects files says so when none comes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from daemon.clock import SystemClock
from daemon.config.values import Duration
from daemon.pipelines.ingest.failures import FolderError
from tests.unit.ingest_support import Ingestion

ONE = "order_id,email,amount\n1,a,1\n"


def expecting(base: Path, since_hours: float) -> Ingestion:
    """Two hours may pass without a new file."""
    ingestion = Ingestion(base, expect_every=Duration(2 * 3600))
    ingestion.index.newest = SystemClock().now() - timedelta(hours=since_hours)
    return ingestion


@pytest.mark.requirement("I2")
def test_a_run_fails_when_no_new_file_came_for_too_long(tmp_path: Path):
    ingestion = expecting(tmp_path, 2.1)
    with pytest.raises(FolderError, match=r"one is expected every 2 hours\.") as raised:
        ingestion.run()
    assert raised.value.error_class == "NO_NEW_FILE"


def test_until_then_no_file_is_no_failure(tmp_path: Path):
    run = expecting(tmp_path, 1.9).run()
    assert (run.failures, run.skipped) == ([], [])
    assert ("fetching", "No file matches inbox/*") in run.steps


def test_the_first_run_of_all_expects_nothing_yet(tmp_path: Path):
    ingestion = expecting(tmp_path, 0)
    ingestion.index.newest = None
    assert ingestion.run().failures == []


@pytest.mark.requirement("I2")
@pytest.mark.parametrize("content", [ONE, "", "order_id,email,amount\nx,a,1\n"])
def test_a_file_that_is_new_arrived_good_or_bad(tmp_path: Path, content: str):
    ingestion = expecting(tmp_path, 9)
    ingestion.put("a.csv", content)
    ingestion.run()
    with pytest.raises(FolderError):
        ingestion.run()
    ingestion.put("a.csv", content + "2,a,1\n", age=30)
    ingestion.run()


def test_a_file_that_was_only_touched_is_not_new(tmp_path: Path):
    ingestion = expecting(tmp_path, 9)
    ingestion.put("a.csv", ONE)
    ingestion.run()
    ingestion.put("a.csv", ONE, age=30)
    with pytest.raises(FolderError):
        ingestion.run()


def test_a_run_for_some_files_says_nothing_about_others(tmp_path: Path):
    ingestion = expecting(tmp_path, 9)
    run = ingestion.handle()
    run.wanted = frozenset({"a.csv"})
    ingestion.pipeline(run)
    assert run.failures == []
