"""The worker's end of the pipe that a run's events go through."""

from __future__ import annotations

import threading
from multiprocessing.connection import Connection

from daemon.clock import Clock
from daemon.event_codec import as_json
from daemon.events import ProgressMade
from daemon.runners.handle import RunClosed
from daemon.runners.sink import Report
from daemon.runners.wire import ENDED, EVENT, Ended, frame

PROGRESS_SECONDS = 0.05
"""Progress is sent this often at most: each newer one takes the place of the one before."""


class PipeSink:
    """Sends the events of one run as they come, so that no crash takes them along. A `Sink`.

    When the daemon is slower than the function, the pipe is full, and the function waits.
    """

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = False
        self._number = 0
        self._waiting: ProgressMade | None = None
        self._sent = float("-inf")

    def record(self, event: Report) -> None:
        """See `Sink.record`."""
        self._send(EVENT, as_json(event))

    def progress(self, event: ProgressMade) -> None:
        """See `Sink.progress`."""
        if self._closed:
            raise RunClosed
        self._waiting = event
        if self._clock.monotonic() - self._sent >= PROGRESS_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Sends the progress that waits, if any."""
        with self._lock:
            self._flush()

    def close(self, ended: Ended) -> None:
        """Sends how the run ended; nothing comes after it."""
        self._send(ENDED, as_json(ended))

    def _send(self, kind: bytes, data: bytes) -> None:
        with self._lock:
            if self._closed:
                raise RunClosed
            self._flush()
            self._closed = kind == ENDED
            self._write(kind, data)

    def _flush(self) -> None:
        event, self._waiting = self._waiting, None
        if event is not None and not self._closed:
            self._sent = self._clock.monotonic()
            self._write(EVENT, as_json(event))

    def _write(self, kind: bytes, data: bytes) -> None:
        self._number += 1
        self._connection.send_bytes(frame(kind, self._number, data))
