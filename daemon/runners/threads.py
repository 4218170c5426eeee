"""Runs that are carried out here, in the thread that asks for them."""

from __future__ import annotations

from daemon.clock import Clock
from daemon.pipelines.catalog import Registered
from daemon.runners.ending import Ending, carry_out
from daemon.runners.handle import Run
from daemon.runners.open_run import OpenRun
from daemon.runners.order import RunOrder


class Threads:
    """The calling threads. See `Workers`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def carry_out(self, pipeline: Registered, order: RunOrder, run: OpenRun) -> Ending:
        """See `Workers.carry_out`."""
        return carry_out(pipeline.function, Run(order, run, self._clock, run.asked_to_stop))
