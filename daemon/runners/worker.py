"""A worker process: carries out the runs that it is ordered to, one after the other, and reports over a pipe.

It knows no store, no triage rules and no other run. It ends when its pipe is closed; when the daemon dies, at
once.
"""

from __future__ import annotations

import faulthandler
import fcntl
import logging
import os
import resource
import signal
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import NamedTuple

from daemon import logs
from daemon.clock import Clock, SystemClock
from daemon.pipelines.contract import RunHandle
from daemon.runners.cut_short import RunOutOfMemory
from daemon.runners.ending import carry_out
from daemon.runners.forks import let_go_in_forks
from daemon.runners.handle import Run
from daemon.runners.order import RunOrder
from daemon.runners.pipe_sink import PipeSink
from daemon.runners.wire import Assignment, Ended, Stop
from daemon.triage import Triage

FLUSH_SECONDS = 0.1
"""How long progress may wait to be sent while the function says nothing else."""


_FOR_THE_DAEMON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class AssignedRun(NamedTuple):
    """A run that the worker carries out."""

    order: RunOrder
    sink: PipeSink
    asked_to_stop: threading.Event


class Worker:
    """Works off orders from a connection."""

    def __init__(self, connection: Connection, assignment: Assignment, clock: Clock) -> None:
        self._connection = connection
        self._assignment = assignment
        self._clock = clock
        self._tasks: SimpleQueue[AssignedRun | None] = SimpleQueue()
        self._task: AssignedRun | None = None
        self._leaves = False

    def work(self) -> None:
        """Returns when the connection is closed, or after a run that needed too much memory."""
        threading.Thread(target=self._listen, name="orders", daemon=True).start()
        while not self._leaves and (task := self._tasks.get()) is not None:
            run = Run(task.order, task.sink, self._clock, task.asked_to_stop)
            ending = carry_out(self._bounded, run)
            self._task = None
            task.sink.close(Ended(ending, self._leaves))

    def _bounded(self, run: RunHandle) -> None:
        """Calls the function. After a lack of memory this process is not to be trusted with another run."""
        limit = self._assignment.memory_limit
        try:
            self._assignment.function(run)
        except MemoryError as error:
            self._leaves = True
            if limit is None:
                raise
            raise RunOutOfMemory(limit) from error

    def _listen(self) -> None:
        """Takes what the daemon says while the function works, and sends progress that waits."""
        try:
            while True:
                task = self._task
                if task is not None and not self._connection.poll(FLUSH_SECONDS):
                    task.sink.flush()
                    continue
                match self._connection.recv():
                    case RunOrder() as order:
                        sink = PipeSink(self._connection, self._clock)
                        self._task = AssignedRun(order, sink, threading.Event())
                        self._tasks.put(self._task)
                    case Stop() if task is not None:
                        task.asked_to_stop.set()
        except (EOFError, OSError):
            pass
        finally:  # who is not listened to takes no further order
            self._tasks.put(None)


def main(connection: str, lifeline: str, crashes: str) -> None:
    """Descriptors of the connection, of the pipe that ends with the daemon, and of a file for crashes."""
    _die_with(int(lifeline))
    # A signal to the whole group, or service, is for the daemon: it lets runs end, or kills them.
    for number in _FOR_THE_DAEMON:
        signal.signal(number, lambda *_: None)
    faulthandler.enable(int(crashes))
    orders = Connection(int(connection))
    # With the pipe open, a process that is forked would keep the daemon from seeing that the worker died.
    let_go_in_forks(_FOR_THE_DAEMON, orders.close)
    assignment = orders.recv()
    logs.configure(assignment.log_level, assignment.log_format, Triage.mask)
    if assignment.memory_limit is not None:
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (assignment.memory_limit, most))
    Worker(orders, assignment, SystemClock()).work()
    logging.shutdown()


def _die_with(lifeline: int) -> None:
    """Has the kernel kill this process and its children once nobody holds the pipe's other end any more.

    That happens at once, also when a native library never lets Python's threads look.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)
