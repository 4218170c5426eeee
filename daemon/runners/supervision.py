"""One run in a worker process, watched from the daemon: what it reports is taken in, its limits hold."""

from __future__ import annotations

import msgspec

from daemon.clock import Clock
from daemon.errors import UnknownEvent
from daemon.event_codec import EventCodec
from daemon.events import (
    ItemFailed,
    ItemSkipped,
    ItemSucceeded,
    ProgressMade,
    RunNoted,
    StepEntered,
)
from daemon.runners.child import Child
from daemon.runners.cut_short import RunOutOfTime
from daemon.runners.ending import Ending
from daemon.runners.handle import RunClosed
from daemon.runners.open_run import OpenRun
from daemon.runners.order import RunOrder
from daemon.runners.wire import ENDED, Ended, Stop, decode_ended, unframe

LOOK_SECONDS = 0.1
"""How often it is looked at whether the run should stop."""
GRACE_SECONDS = 5.0
"""How long a run may go on after it was told that its time is over."""


class Supervision:
    """Watches over one run of a child."""

    def __init__(
        self,
        child: Child,
        run: OpenRun,
        codec: EventCodec,
        clock: Clock,
        time_limit: float | None,
    ) -> None:
        self._child = child
        self._run = run
        self._codec = codec
        self._clock = clock
        self._time_limit = time_limit
        self._began = clock.monotonic()
        self._heard = 0
        self._is_told = False
        self.is_reusable = False
        """Whether the child may be given another order."""

    def watch(self, order: RunOrder) -> Ending:
        """Has the order carried out; returns how that ended. A child that is not reusable is to be killed."""
        self._child.order(order)
        try:
            while (ended := self._next()) is None:
                self._look()
        except EOFError:
            return self._run.fail(self._child.cause_of_death())
        except RunClosed:
            return Ending.CLOSED
        except (RunOutOfTime, UnknownEvent, msgspec.MsgspecError) as error:
            return self._run.fail(error)
        self.is_reusable = not ended.leaves
        if ended.ending is Ending.GAVE_UP and self._overtime() > 0:
            return self._run.fail(self._out_of_time())
        return ended.ending

    def _next(self) -> Ended | None:
        """Takes in what the child says next, if it does; the last is how it ended."""
        received = self._child.hear(LOOK_SECONDS)
        if received is None:
            return None
        kind, number, data = unframe(received)
        if number <= self._heard:
            return None  # it came before
        self._heard = number
        if kind == ENDED:
            return decode_ended(data)
        match self._codec.decode(data):
            case ProgressMade() as progress:
                self._run.progress(progress)
            case (
                StepEntered() | ItemSucceeded() | ItemSkipped() | ItemFailed() | RunNoted()
            ) as report:
                self._run.record(report)
            case other:
                raise UnknownEvent(f"a run cannot report {type(other).__name__}")
        return None

    def _look(self) -> None:
        if self._run.is_closed:
            raise RunClosed
        overtime = self._overtime()
        if overtime > GRACE_SECONDS:
            raise self._out_of_time()
        if not self._is_told and (overtime > 0 or self._run.asked_to_stop.is_set()):
            self._is_told = True
            self._child.tell(Stop())

    def _overtime(self) -> float:
        """Seconds beyond the limit; below zero while there is time."""
        if self._time_limit is None:
            return -1.0
        return self._clock.monotonic() - self._began - self._time_limit

    def _out_of_time(self) -> RunOutOfTime:
        return RunOutOfTime(self._time_limit or 0.0)
