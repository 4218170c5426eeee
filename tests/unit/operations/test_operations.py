"""What people on call decide takes effect, survives a restart, and is refused where it makes no sense."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.clock import FakeClock
from daemon.errors import Conflict, NotFound, StoreUnavailable
from daemon.pipelines.kinds import load_settings
from daemon.service import Daemon
from daemon.store.failures import Failures
from daemon.store.filters import FailureFilter
from daemon.taxonomy import Trigger
from tests.unit.spine_support import (
    PATIENCE,
    START,
    assert_counts_agree,
    ended,
    failed,
    started,
    succeeded,
    wait_for,
)

CONFIG = """
[pipelines.ingest]
[pipelines.ingest.sources.orders]
files = "inbox/*.csv"
table = "orders"
settle = "1ms"
columns = { id = "BIGINT" }
[pipelines.ingest.sources.other]
files = "other/*.csv"
table = "other"
"""
GOOD, BAD = "id\n1\n", "id\n1\nmany\n"


def opened(folder: Path) -> Daemon:
    (folder / "triaged.toml").write_text(CONFIG)
    daemon = Daemon(load_settings(folder / "triaged.toml", {}))
    daemon.start(schedule=False)
    return daemon


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that has loaded a good file and failed on two bad ones."""
    (tmp_path / "inbox").mkdir()
    for name, text in (("good", GOOD), ("bad", BAD), ("worse", BAD)):
        (tmp_path / f"inbox/{name}.csv").write_text(text)
    daemon = opened(tmp_path)
    run(daemon)
    assert statuses(daemon) == {"good.csv": "success", "bad.csv": "partial", "worse.csv": "partial"}
    yield daemon
    daemon.stop(PATIENCE)


def run(daemon: Daemon) -> None:
    ingest = daemon.catalog.pipeline("ingest")
    daemon.cycles.run(ingest, [ingest.sources["orders"]], Trigger.MANUAL)
    assert daemon.writer.flush(PATIENCE)


def statuses(daemon: Daemon) -> dict[str, str]:
    return dict(daemon.database.read().rows("SELECT path, status FROM files"))


def failures(daemon: Daemon, path: str) -> list[str]:
    found = Failures(daemon.database.read()).page(FailureFilter(), 100).failures
    return [failure.status for failure in found if failure.item == path]


@pytest.mark.requirement("S9")
def test_a_pause_holds_over_a_restart_until_it_is_lifted(tmp_path: Path) -> None:
    daemon = opened(tmp_path)
    daemon.pipeline_operations.pause("ingest")
    assert daemon.scheduler.describe()[0].paused
    daemon.stop(PATIENCE)
    daemon = opened(tmp_path)
    assert daemon.scheduler.describe()[0].paused
    daemon.pipeline_operations.resume("ingest")
    assert not daemon.scheduler.describe()[0].paused
    daemon.stop(PATIENCE)
    daemon = opened(tmp_path)
    assert not daemon.scheduler.describe()[0].paused
    daemon.stop(PATIENCE)


@pytest.mark.requirement("X3", "S9")
def test_a_pause_that_cannot_be_stored_yet_is_told_and_holds_all_the_same(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.operations.decision.STORE_SECONDS", 0.05)
    monkeypatch.setattr("daemon.store.writer.RETRY_SECONDS", (0.01,))
    with daemon.database.writer.cursor() as cursor:
        cursor.execute("ALTER TABLE paused_pipelines RENAME TO away")
    with pytest.raises(StoreUnavailable, match="could not be stored yet"):
        daemon.pipeline_operations.pause("ingest")
    assert daemon.scheduler.describe()[0].paused
    assert daemon.health().status == "degraded"
    with daemon.database.writer.cursor() as cursor:
        cursor.execute("ALTER TABLE away RENAME TO paused_pipelines")
    wait_for(lambda: daemon.runs.paused() == {"ingest"})
    wait_for(lambda: daemon.health().status == "ok")


@pytest.mark.requirement("I6")
def test_files_to_retry_are_read_again_and_what_they_failed_with_is_resolved(
    daemon: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "inbox/bad.csv").write_text("id\n2\n")
    changed = daemon.file_operations.retry("orders")
    assert (sorted(changed.paths), changed.started) == (["bad.csv", "worse.csv"], True)
    wait_for(lambda: statuses(daemon)["bad.csv"] == "success")
    assert daemon.queue.wait(PATIENCE)
    assert failures(daemon, "bad.csv") == ["resolved"]
    assert failures(daemon, "worse.csv") == ["open", "retrying"]
    assert_counts_agree(daemon.database, daemon.writer.standing)
    for outcome in ("succeeded", "failed"):
        retried = daemon.metrics.registry.get_sample_value(
            "triaged_retries_total", {"pipeline": "ingest", "outcome": outcome}
        )
        assert retried == 1


def test_nothing_to_retry_starts_nothing(daemon: Daemon) -> None:
    changed = daemon.file_operations.retry("other")
    assert (changed.paths, changed.started) == ([], False)
    changed = daemon.file_operations.retry("orders", [])
    assert (changed.paths, changed.started) == ([], False)


@pytest.mark.requirement("I6", "I7")
def test_files_that_are_set_aside_are_left_alone_until_they_are_released(
    daemon: Daemon, tmp_path: Path
) -> None:
    daemon.file_operations.quarantine("orders", ["bad.csv", "bad.csv"])
    daemon.file_operations.ignore("orders", ["worse.csv"])
    (tmp_path / "inbox/bad.csv").write_text("id\n2\n3\n")
    (tmp_path / "inbox/worse.csv").write_text("id\n4\n5\n")
    run(daemon)
    assert statuses(daemon) == {
        "good.csv": "success",
        "bad.csv": "quarantined",
        "worse.csv": "ignored",
    }
    assert (failures(daemon, "bad.csv"), failures(daemon, "worse.csv")) == (
        ["quarantined"],
        ["ignored"],
    )
    assert list((tmp_path / "data/quarantine/orders").iterdir())
    (tmp_path / "inbox/bad.csv").unlink()
    daemon.file_operations.release("orders", ["bad.csv", "worse.csv"])
    wait_for(lambda: statuses(daemon)["worse.csv"] == "success")
    assert daemon.queue.wait(PATIENCE)
    assert statuses(daemon)["bad.csv"] == "partial"
    assert failures(daemon, "worse.csv") == ["resolved"]
    assert failures(daemon, "bad.csv") == ["open", "retrying"]
    assert (tmp_path / "inbox/bad.csv").read_text() == BAD
    assert not list((tmp_path / "data/quarantine/orders").iterdir())


@pytest.mark.requirement("I7")
def test_a_quarantined_file_that_was_fixed_in_place_is_read_as_it_is_now(
    daemon: Daemon, tmp_path: Path
) -> None:
    daemon.file_operations.quarantine("orders", ["bad.csv"])
    (tmp_path / "inbox/bad.csv").write_text("id\n2\n3\n")
    daemon.file_operations.release("orders", ["bad.csv"])
    wait_for(lambda: statuses(daemon)["bad.csv"] == "success")
    assert (tmp_path / "inbox/bad.csv").read_text() == "id\n2\n3\n"
    assert not list((tmp_path / "data/quarantine/orders").iterdir())


def test_only_what_was_set_aside_can_be_released(daemon: Daemon) -> None:
    daemon.file_operations.ignore("orders", ["bad.csv"])
    with pytest.raises(Conflict, match="neither quarantined nor ignored"):
        daemon.file_operations.release("orders", ["bad.csv", "good.csv"])
    assert statuses(daemon)["bad.csv"] == "ignored"


@pytest.mark.requirement("I6", "X4")
def test_paths_that_are_not_tracked_are_refused_and_change_nothing(daemon: Daemon) -> None:
    before = statuses(daemon)
    operations = daemon.file_operations
    for path in ("gone.csv", "../triaged.toml", "/etc/passwd", "", "inbox/bad.csv"):
        for decide in (
            operations.retry,
            operations.ignore,
            operations.quarantine,
            operations.release,
        ):
            with pytest.raises(NotFound):
                decide("orders", ["bad.csv", path])
    assert statuses(daemon) == before


def test_pipelines_and_sources_that_do_not_exist_are_refused(daemon: Daemon) -> None:
    operations = daemon.pipeline_operations
    for refuse in (operations.pause, operations.resume, operations.run_now):
        with pytest.raises(NotFound):
            refuse("gone")
    with pytest.raises(NotFound):
        operations.run_now("ingest", "gone")
    with pytest.raises(NotFound):
        daemon.file_operations.retry("gone")
    assert daemon.runs.paused() == set()


@pytest.mark.requirement("S9")
def test_run_now_starts_a_cycle_even_of_a_paused_pipeline(daemon: Daemon, tmp_path: Path) -> None:
    daemon.pipeline_operations.pause("ingest")
    (tmp_path / "inbox/new.csv").write_text("id\n9\n")
    cycle = daemon.pipeline_operations.run_now("ingest", "orders")
    wait_for(lambda: statuses(daemon).get("new.csv") == "success")
    assert daemon.queue.wait(PATIENCE)
    assert daemon.writer.flush(PATIENCE)
    latest = daemon.runs.latest("ingest", "orders")
    assert latest is not None
    assert (latest.cycle_id, latest.started_by) == (cycle, "manual")


# --- the daemon as a whole ---------------------------------------------------------------------


@pytest.mark.requirement("X3")
def test_a_daemon_stops_once_and_refuses_what_comes_afterwards(tmp_path: Path) -> None:
    daemon = opened(tmp_path)
    assert daemon.health().status == "ok"
    assert daemon.stop(PATIENCE) == 0
    assert daemon.stop(PATIENCE) == 0
    assert daemon.health().status == "stopping"
    with pytest.raises(Conflict):
        daemon.pipeline_operations.run_now("ingest")


def test_a_daemon_that_was_not_started_can_be_stopped(tmp_path: Path) -> None:
    (tmp_path / "triaged.toml").write_text(CONFIG)
    assert Daemon(load_settings(tmp_path / "triaged.toml", {})).stop(PATIENCE) == 0


def test_upkeep_of_a_running_daemon_forgets_what_is_too_old(tmp_path: Path) -> None:
    (tmp_path / "triaged.toml").write_text(CONFIG)
    clock = FakeClock(START)
    daemon = Daemon(load_settings(tmp_path / "triaged.toml", {}), clock)
    daemon.start(schedule=False)
    for path in ("old", "new"):
        position = daemon.writer.put(failed("run", path, clock.now()))
        assert daemon.writer.wait(position, PATIENCE)
        clock.advance(60 * 86400)
    assert daemon.writer.wait(daemon.writer.put(succeeded("run-2", "old", START)), PATIENCE)
    for day in range(3):  # one day alone could be that of a clock that is ahead
        recent = started(f"recent-{day}", clock.now() - timedelta(days=day))
        assert daemon.writer.wait(daemon.writer.put(recent), PATIENCE)
    daemon.upkeep.forget()
    wait_for(lambda: (failures(daemon, "old"), failures(daemon, "new")) == ([], ["open"]))
    assert sum(daemon.writer.standing.open().values()) == 1
    daemon.stop(PATIENCE)


@pytest.mark.requirement("F6", "X3")
def test_a_clock_that_was_set_ahead_is_trusted_after_days_that_really_passed(
    tmp_path: Path,
) -> None:
    (tmp_path / "triaged.toml").write_text(CONFIG)
    clock = FakeClock(START)
    daemon = Daemon(load_settings(tmp_path / "triaged.toml", {}), clock)
    daemon.start(schedule=False)
    daemon.writer.put(started("old", clock.now()))
    assert daemon.writer.wait(daemon.writer.put(ended("old", at=clock.now())), PATIENCE)
    clock.set_wall(START + timedelta(days=200))
    daemon.upkeep.forget()
    assert "3 days" in (daemon.upkeep.problem or "")
    assert daemon.runs.newest() == START
    clock.advance(3 * 86400)
    daemon.upkeep.forget()
    assert daemon.upkeep.problem is None
    wait_for(lambda: daemon.runs.newest() is None)
    daemon.stop(PATIENCE)
