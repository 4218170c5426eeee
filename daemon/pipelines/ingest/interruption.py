"""Statements that are made to stop from outside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupting(
    interrupt: Callable[[], object], when: Callable[[], bool], period: float
) -> Iterator[None]:
    """Looks every `period` seconds whether `when` holds, and calls `interrupt` as long as it does.

    Again and again, since an interrupt that falls between two statements stops neither.
    """
    done = threading.Event()

    def watch() -> None:
        while not done.wait(period):
            if when():
                interrupt()

    watcher = threading.Thread(target=watch, name="ingest-interrupt", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
