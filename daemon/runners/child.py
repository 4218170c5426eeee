"""A worker process as the daemon sees it."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection

from daemon.interpreter import python
from daemon.runners.cut_short import RunProcessDied
from daemon.runners.order import RunOrder
from daemon.runners.wire import Assignment, Stop

_LEAVE_SECONDS = 5.0
"""How long a worker may take to end by itself once it is told that it is of no use any more."""
_SENTENCE_SECONDS = 60
"""How long it may stop in the middle of a message, before no more is expected of it: nothing else is looked at meanwhile."""
_LONGEST_TRACE = 16_384


class Child:
    """One worker process, in a session of its own: no signal for the daemon's terminal reaches it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        self._crashes = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        descriptors = (theirs.fileno(), lifeline, self._crashes.fileno())
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own program)
                python("daemon.runners.worker", *descriptors),
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            self._close_files()
            raise
        finally:
            theirs.close()
            os.close(lifeline)
        ours.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", _SENTENCE_SECONDS, 0)
        )
        self._connection = Connection(ours.detach())
        self._end = self._watch_end()
        # Its end is looked for as well: what it has begun may outlive it, and hold the connection open.
        self._news = select.poll()
        for descriptor in (self._connection.fileno(), self._end):
            self._news.register(descriptor, select.POLLIN)
        self.runs = 0
        """How many it has been ordered."""

    def _watch_end(self) -> int:
        """A descriptor that can be read from once the process has ended. Not everywhere may one ask for a pidfd."""
        end, ended = os.pipe()
        watch = threading.Thread(target=_tell_end, args=(self._process.pid, ended), daemon=True)
        try:
            watch.start()
        except BaseException:  # the system lets us have no more threads
            os.close(end)
            os.close(ended)
            self._connection.close()
            self._close_files()
            self._process.wait()
            raise
        return end

    def order(self, order: RunOrder) -> None:
        """Lets it carry out a run."""
        self.runs += 1
        self.tell(order)

    def tell(self, message: Assignment | RunOrder | Stop) -> None:
        """Sends a message. One that has died is found out by `hear`."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(message)

    def hear(self, seconds: float) -> bytes | None:
        """What it says next; None when it says nothing for so long. Raises `EOFError` once it is dead."""
        news = self._news.poll(seconds * 1000)
        if not news:
            return None
        if all(descriptor == self._end for descriptor, _ in news):
            raise EOFError
        try:
            return self._connection.recv_bytes()
        except OSError:  # it died in the middle of a sentence, or hangs there
            raise EOFError from None

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return not self.ends_within(0)

    def ends_within(self, seconds: float) -> bool:
        """Whether it ends in this time."""
        end = select.poll()
        end.register(self._end, select.POLLIN)
        return bool(end.poll(seconds * 1000))

    def kill(self) -> None:
        """Ends it and the processes that it has begun, whatever they are doing; idempotent."""
        if self._crashes.closed:
            return
        with suppress(ProcessLookupError, PermissionError):  # gone, or all of them are on their way
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()
        os.close(self._end)
        self._close_files()

    def leave(self) -> None:
        """Lets it end by itself."""
        leave_together([self])

    def dismiss(self) -> None:
        """Tells it that it is of no use any more."""
        self._connection.close()

    def cause_of_death(self) -> RunProcessDied:
        """How it died, and where in its code it crashed."""
        self.ends_within(_LEAVE_SECONDS)
        self._crashes.seek(0)
        trace = self._crashes.read(_LONGEST_TRACE).decode("utf-8", "replace")
        self.kill()
        return RunProcessDied(self._process.returncode, trace)

    def _close_files(self) -> None:
        os.close(self._lifeline)
        self._crashes.close()


def _tell_end(process: int, ended: int) -> None:
    """Writes to `ended` once the process has ended, and leaves it to be waited for."""
    with suppress(ChildProcessError):  # somebody has waited already
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    with suppress(BrokenPipeError):  # nobody wants to know any more
        os.write(ended, b".")
    os.close(ended)


def leave_together(children: Sequence[Child]) -> None:
    """Lets them end by themselves, all in the time that one has."""
    for child in children:
        child.dismiss()
    seconds = _LEAVE_SECONDS
    for child in children:
        if not child.ends_within(seconds):
            seconds = 0.0  # the others have had it as well
        child.kill()
