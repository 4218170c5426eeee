"""The deadline of a whole run: a read timeout is none, since every byte that comes starts it anew."""

from __future__ import annotations

import socket
import threading
from typing import Protocol, Self

from daemon.clock import Clock
from daemon.pipelines.mail.errors import DeadlinePassed, RunCancelled

LOOK_EVERY = 0.25
"""Seconds between two looks at whether the run was cancelled."""


class Cancellable(Protocol):
    """What may be cancelled."""

    @property
    def cancelled(self) -> bool: ...


class Watchdog:
    """Shuts the sockets it guards down once the deadline passes or the run is cancelled.

    A thread of its own looks after them from the first socket on, until the end of the `with` block.
    """

    def __init__(self, run: Cancellable, clock: Clock, seconds: float) -> None:
        self.seconds = seconds
        self._run = run
        self._clock = clock
        self._end = clock.monotonic() + seconds
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; not below zero."""
        return max(0.0, self._end - self._clock.monotonic())

    def guard(self, connection: socket.socket) -> None:
        """Looks after a connection, whatever is wrapped around its socket later."""
        with self._lock:
            # Of its own: TLS takes the descriptor away from the socket that it wraps.
            self._sockets.append(connection.dup())
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="mail-watchdog", daemon=True)
            self._thread.start()
        if self._must_end():
            self._shut_down()

    def check(self, cause: BaseException | None = None) -> None:
        """Raises `RunCancelled` or `DeadlinePassed` when the run has to end."""
        if self._run.cancelled:
            raise RunCancelled from cause
        if not self.remaining:
            raise DeadlinePassed(
                f"The deadline of {self.seconds:g} s for the account passed before its run was done"
            ) from cause

    def release(self) -> None:
        """Lets go of the connections that it guards."""
        with self._lock:
            for connection in self._sockets:
                connection.close()
            self._sockets.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self.release()

    def _must_end(self) -> bool:
        return self._run.cancelled or not self.remaining

    def _watch(self) -> None:
        while not self._over.wait(min(LOOK_EVERY, self.remaining)):
            if self._must_end():
                self._shut_down()
                # Connections made later shut themselves down in `guard`.
                return

    def _shut_down(self) -> None:
        with self._lock:
            for connection in self._sockets:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the other side was faster
