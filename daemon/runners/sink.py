"""Where the events of a run go: all that a run handle knows of the rest of triaged."""

from __future__ import annotations

from typing import Protocol

from daemon.events import (
    ItemFailed,
    ItemSkipped,
    ItemSucceeded,
    ProgressMade,
    RunEnded,
    RunNoted,
    RunStarted,
    StepEntered,
)

Report = StepEntered | ItemSucceeded | ItemSkipped | ItemFailed | RunNoted
"""What a pipeline says of its run."""


class Sink(Protocol):
    """Takes what a pipeline reports. Each call raises `RunClosed` once the run has ended."""

    def record(self, event: Report) -> object:
        """Takes an event that is stored, after those before it. Blocks while there are too many."""
        ...

    def progress(self, event: ProgressMade) -> object:
        """Takes how far the run is: only the newest counts, and it is only shown."""
        ...


class StoringSink(Protocol):
    """Takes all events of runs and says when they are on disk; the recorder is one."""

    def record(self, event: RunStarted | Report | RunEnded) -> int:
        """Queues an event; returns its position. Blocks while the queue is full."""
        ...

    def progress(self, event: ProgressMade) -> object:
        """Shows how far a run is."""
        ...

    def wait(self, position: int, timeout: float | None = None) -> bool:
        """Waits till the event at `position` and all before it are on disk."""
        ...
