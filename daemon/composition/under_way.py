"""Work under way, as a part: what begins work is started after it, and ends before it."""

from __future__ import annotations

from collections.abc import Callable

from daemon.parts import Part
from daemon.runners.runner import Runner
from daemon.work.queue import WorkQueue

RESULTS_SECONDS = 2.0
"""How long the results of what was under way may take to be stored."""


class UnderWay(Part):
    """Lets turns come in the queue. When it winds down, none comes, and runs are asked to stop at their next item.

    Those that have not stopped when the time is up end as interrupted.
    """

    def __init__(
        self,
        queue: WorkQueue,
        runner: Runner,
        settle: Callable[[float], None],
        patience: float,
    ) -> None:
        """`settle` waits for the results of what was under way, so many seconds at most."""
        super().__init__("work under way")
        self.patience = patience
        self.interrupted = 0
        """Runs that the last stop has ended."""
        self._queue = queue
        self._runner = runner
        self._settle = settle

    def _start(self) -> None:
        self._queue.go_on()
        self._runner.go_on()

    def _wind_down(self) -> None:
        self._queue.stop()
        self._runner.cancel()

    def _stop(self, seconds: float) -> None:
        self._queue.wait(seconds)
        self.interrupted = self._runner.interrupt()
        self._settle(RESULTS_SECONDS)
