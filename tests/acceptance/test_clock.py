"""A machine's clock that is set while the daemon runs, or before it starts: the real daemon, with a clock that tests move."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.product import Product, wait_for

COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="not installed: cc")

SHIM = Path(__file__).parents[1] / "support/wall_clock.c"
DAY = 86_400
PIPELINES = """
[pipelines.often]
run = "work:fail"
every = "200ms"
[pipelines.away]
run = "work:away"
every = "200ms"
[pipelines.minutely]
run = "work:fail"
cron = "* * * * *"
"""
WORK = """
def fail(run):
    run.fail("item", ValueError("it broke"))


def away(run):
    raise ConnectionError("connection refused")
"""


class Machine:
    """A product on a machine whose clock can be set."""

    def __init__(self, folder: Path) -> None:
        shim = folder / "wall_clock.so"
        assert COMPILER is not None
        subprocess.run([COMPILER, "-shared", "-fPIC", "-o", shim, SHIM], check=True)
        (folder / "work.py").write_text(WORK)
        self._offset = folder / "offset"
        self._environment = {"LD_PRELOAD": str(shim), "WALL_CLOCK_FILE": str(self._offset)}
        self.product = Product(folder)
        self.product.configure(PIPELINES)
        self.set(0)

    def set(self, seconds: int) -> None:
        """Moves the clock away from the right time."""
        fresh = self._offset.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self._offset)

    def start(self) -> None:
        self.product.start(env=os.environ | self._environment)

    def runs(self, pipeline: str) -> int:
        return int(self.product.get("/api/runs", pipeline=pipeline)["total_runs"])

    def goes_on(self, pipeline: str) -> None:
        """Waits for three more runs."""
        before = self.runs(pipeline)
        wait_for(lambda: self.runs(pipeline) >= before + 3)

    def waits_for(self, metric: str, good: Callable[[float], bool]) -> None:
        wait_for(lambda: good(self.product.metrics()[metric]))

    def check(self) -> Any:
        """What health says of the clock."""
        return next(c for c in self.product.get("/healthz")["checks"] if c["name"] == "clock")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.product.kill()


@pytest.mark.requirement("X3", "S8")
@pytest.mark.parametrize("seconds", [-60, -DAY, -400 * DAY, 3600], ids=str)
def test_cycles_go_on_however_the_clock_is_set_and_when_it_is_right_again(
    machine: Machine, seconds: int
) -> None:
    machine.start()
    machine.goes_on("often")
    machine.set(seconds)
    machine.waits_for("triaged_clock_steps_total", lambda steps: steps == 1)
    machine.goes_on("often")
    if seconds < 0:
        assert machine.product.metrics()["triaged_clock_behind_seconds"] > 50
    machine.set(0)
    machine.waits_for("triaged_clock_steps_total", lambda steps: steps == 2)
    machine.goes_on("often")
    durations = [run["duration_seconds"] for run in machine.product.get("/api/runs")["runs"]]
    assert min(seconds for seconds in durations if seconds is not None) >= 0
    status = machine.product.get("/api/pipelines")["pipelines"]
    assert all(pipeline["next_run_at"] for pipeline in status)


@pytest.mark.requirement("X3", "S8")
def test_a_source_that_waits_for_its_retry_waits_no_longer_when_the_clock_is_set_back(
    machine: Machine,
) -> None:
    machine.start()
    wait_for(lambda: machine.runs("away") >= 1)
    machine.set(-DAY)
    machine.waits_for("triaged_clock_steps_total", lambda steps: steps == 1)
    before = machine.runs("away")
    wait_for(lambda: machine.runs("away") > before)


@pytest.mark.requirement("S8")
def test_a_clock_behind_what_is_stored_is_said_and_keeps_nobody_out(machine: Machine) -> None:
    machine.set(3600)
    machine.start()
    machine.goes_on("often")
    assert machine.product.stop() == 0
    machine.set(0)
    machine.start()
    assert machine.check()["ok"] is False
    assert "behind what is stored" in machine.check()["message"]
    assert machine.product.http.get("/readyz").status_code == 200
    machine.goes_on("often")


@pytest.mark.requirement("F6", "X3")
def test_a_clock_far_ahead_makes_nothing_forgotten(machine: Machine) -> None:
    machine.start()
    machine.goes_on("often")
    assert machine.product.stop() == 0
    before = machine.product.command("runs", "--json", "--config", str(machine.product.config))
    stored = len(before.stdout.splitlines())
    machine.set(200 * DAY)
    machine.start()
    machine.waits_for("triaged_retention_waiting", lambda waits: waits == 1)
    assert "retention waits" in machine.check()["message"]
    machine.goes_on("often")
    machine.set(0)
    machine.waits_for("triaged_clock_steps_total", lambda steps: steps == 1)
    total = machine.product.get("/api/runs", include_idle="true")["total_runs"]
    assert total >= stored > 0
