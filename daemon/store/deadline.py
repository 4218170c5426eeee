"""An end to what takes too long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

_AGAIN_SECONDS = 0.1


class Deadline:
    """Calls `interrupt` in another thread when its block lasts longer than `seconds`.

    Again and again, because DuckDB forgets an interruption that comes between two queries. Never after the
    block: what is interrupted was begun within it.
    """

    def __init__(self, interrupt: Callable[[], None], seconds: float) -> None:
        self._interrupt = interrupt
        self._seconds = seconds
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._over.set()

    def _watch(self) -> None:
        wait = self._seconds
        while not self._over.wait(wait):
            wait = _AGAIN_SECONDS
            with self._lock:
                if not self._over.is_set():
                    self._interrupt()
