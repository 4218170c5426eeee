"""Runs in processes beside runs in threads: what one costs, and how many events a second come through."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from daemon.clock import SystemClock
from daemon.pipelines.catalog import Registered, Source
from daemon.pipelines.functions import load_function
from daemon.pipelines.made import Made
from daemon.pipelines.own.config import OwnConfig
from daemon.runners.processes import Processes
from daemon.runners.runner import Runner
from daemon.taxonomy import RunStatus, Trigger
from tests.benchmarks.figures import Bench, Figure, compared, limited, median, reported, seconds
from tests.benchmarks.parts import recording

REPETITIONS = 7
FUNCTIONS = """
def nothing(run):
    pass

def succeed(run):
    for number in range(run.options["events"]):
        run.succeed(str(number))

def progress(run):
    for number in range(run.options["events"]):
        run.progress(number)
"""
MODES = ("thread", "process")
REACH_MICROSECONDS = 5


class Timing:
    """Times runs of the functions, in one mode."""

    def __init__(self, runner: Runner, folder: Path, mode: str) -> None:
        self._runner = runner
        self._folder = folder
        self._mode = mode

    def run(self, function: str, events: int = 0) -> float:
        """Seconds that a run takes, till all of it is on disk."""
        path = f"timed_functions:{function}"
        load = partial(load_function, path, "run", self._folder)
        config = OwnConfig(run=path, mode=self._mode)  # type: ignore[arg-type]
        source = Source("one", True, {"events": events})
        pipeline = Registered(function, Made(load), config, {"one": source})

        def carry_out() -> None:
            status = self._runner.run(pipeline, source, "cycle", Trigger.MANUAL)
            assert status is RunStatus.SUCCESS

        return seconds(carry_out)

    def usual(self, function: str, events: int = 0) -> float:
        """The median, once the function is loaded."""
        self.run(function, 1)
        return median([self.run(function, events) for _ in range(REPETITIONS)])


def measure(bench: Bench) -> Iterator[Figure]:
    """Milliseconds for each run, thousands of events a second, microseconds for each `run.progress`."""
    events = bench.size(50_000)
    with recording(bench.folder) as parts, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "timed_functions.py").write_text(FUNCTIONS)
        processes = Processes((), SystemClock())
        processes.start()
        runner = Runner(parts.recorder, SystemClock(), {"process": processes})
        thread, process = (Timing(runner, folder, mode) for mode in MODES)
        yield reported("first run in a process", process.run("nothing") * 1e3, "ms")
        runs = [each.usual("nothing") * 1e3 for each in (process, thread)]
        yield compared("run in a process", runs[0], "ms", ("thread", runs[1]))
        rates = [events / each.usual("succeed", events) / 1e3 for each in (process, thread)]
        yield compared("events from a process", rates[0], "k/s", ("thread", rates[1]))
        each = process.usual("progress", events) / events * 1e6
        yield limited("progress update in a process", each, "µs", REACH_MICROSECONDS)
        processes.stop()
