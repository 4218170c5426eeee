"""Runs in processes keep to the contract, and no process is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.clock import FakeClock
from daemon.pipelines.catalog import Registered
from daemon.runners import processes as module
from daemon.runners.processes import Processes
from daemon.runners.runner import Workers
from daemon.taxonomy import RunStatus
from tests.unit.runners.contract import House, RemoteContract, is_running
from tests.unit.spine_support import wait_for

ROOT = Path(__file__).parents[3]


class TestProcesses(RemoteContract):
    mode = "process"

    @pytest.fixture
    def elsewhere(self, clock: FakeClock) -> Iterator[dict[str, Workers]]:
        processes = Processes((), clock)
        processes.start()
        yield {"process": processes}
        processes.stop()

    def test_a_process_is_used_again_till_it_has_had_its_share(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MOST_RUNS", 2)
        job = house.pipeline("say_who_works")
        workers = [self._worker(house, job) for _ in range(3)]
        assert workers[0] == workers[1] != workers[2]

    def test_a_process_that_died_while_it_waited_fails_nobody(self, house: House) -> None:
        job = house.pipeline("say_who_works")
        first = self._worker(house, job)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: not is_running(first))
        assert self._worker(house, job) != first

    def test_a_process_that_has_nothing_to_do_is_let_go(
        self, house: House, elsewhere: dict[str, Processes]
    ) -> None:
        worker = self._worker(house, house.pipeline("say_who_works"))
        assert is_running(worker)
        elsewhere["process"].tidy()
        assert not is_running(worker)

    def test_processes_that_do_not_leave_are_ended_together(
        self, house: House, elsewhere: dict[str, Processes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("daemon.runners.child._LEAVE_SECONDS", 0.1)
        job = house.pipeline("leave_a_thread_behind")
        other = Registered("other", job.function, job.config, job.sources)
        workers = [self._worker(house, each) for each in (job, other)]
        assert all(map(is_running, workers))
        elsewhere["process"].tidy()
        assert not any(map(is_running, workers))

    def test_a_process_that_hangs_in_the_middle_of_a_message_is_ended(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("daemon.runners.child._SENTENCE_SECONDS", 1)
        monkeypatch.setattr("daemon.runners.child._LEAVE_SECONDS", 0.1)
        assert house.run(house.pipeline("hang_in_the_middle_of_a_message")) is RunStatus.FAILED
        assert house.failure().category == "resource"
        assert not is_running(int(house.hear("pid")))

    def test_runs_that_write_a_database_take_turns(self, house: House) -> None:
        """One process at a time has it open; other pipelines go on meanwhile."""
        job = house.pipeline("finish_when_allowed", database="warehouse.duckdb")
        first, _ = house.begin(job, "one")
        house.hear("began-one")
        second, ends = house.begin(job, "two")
        assert house.run(house.pipeline("report_all"), "three") is RunStatus.PARTIAL
        assert not (house.folder / "began-two").exists()
        house.say("go")
        for thread in (first, second):
            thread.join()
        assert ends == [RunStatus.SUCCESS]

    def test_a_run_that_is_interrupted_while_it_waits_for_its_turn_never_begins(
        self, house: House
    ) -> None:
        job = house.pipeline("finish_when_allowed", database="warehouse.duckdb")
        first, _ = house.begin(job, "one")
        house.hear("began-one")
        second, ends = house.begin(job, "two")
        wait_for(lambda: len(house.store.live.active()) == 2)
        house.runner.interrupt()
        for thread in (first, second):
            thread.join()
        assert ends == [RunStatus.INTERRUPTED]
        assert not (house.folder / "began-two").exists()

    def test_a_function_that_cannot_be_sent_fails_its_run(self, house: House) -> None:
        job = house.pipeline("report_all")
        local = Registered(job.name, lambda _run: None, job.config, job.sources)
        assert house.run(local) is RunStatus.FAILED
        assert "pickle" in house.failure().error_message
        assert house.run(job) is RunStatus.PARTIAL

    def _worker(self, house: House, job: object) -> int:
        """The process that carries out a run."""
        assert house.run(job) is RunStatus.SUCCESS  # type: ignore[arg-type]
        return int(house.hear("pid"))


PROGRAM = """
import sys
from pathlib import Path
from daemon.clock import SystemClock
from daemon.pipelines.catalog import Registered
from daemon.runners.processes import Processes
from tests.unit.runners.contract import House
from daemon.runners.runner import Runner
from tests.unit.spine_support import store
folder = Path(sys.argv[1])
with store(folder, SystemClock()) as target:
    target.writer.start()
    runner = Runner(target.recorder, target.clock, {"process": Processes((), SystemClock())})
    house = House(target, runner, "process", folder)
    house.run(house.pipeline("hold_the_interpreter"))
"""


@pytest.mark.requirement("X7")
def test_when_the_daemon_is_killed_its_processes_end_even_when_stuck(tmp_path: Path) -> None:
    daemon = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT)
    try:
        wait_for((tmp_path / "pid").exists)
        worker = int((tmp_path / "pid").read_text())
        assert is_running(worker)
    finally:
        daemon.kill()
        daemon.wait()
    wait_for(lambda: not is_running(worker))
