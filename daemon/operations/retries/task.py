"""A chunk of a retry operation on its way through the queue."""

from __future__ import annotations

from collections.abc import Callable

from daemon.events import Work


class ChunkTask:
    """A chunk, as the queue knows it. See `Task`."""

    waits_for_source = True
    is_suspect = False
    kept = False  # what is left of an operation is in the store already

    def __init__(self, work: Work, carry_out: Callable[[], None], over: Callable[[], None]) -> None:
        """`over` is called in the end, whatever becomes of it."""
        self.work = work
        self._carry_out = carry_out
        self._over = over

    def carry_out(self) -> bool:
        try:
            self._carry_out()
        finally:
            self._over()
        return True

    def leave_out(self) -> None:
        self._over()

    def abandon(self) -> None:
        self._over()
