"""A pipeline's function that is made where it is called, which may be another process."""

from __future__ import annotations

from collections.abc import Callable

from daemon.pipelines.contract import Pipeline, RunHandle


class Made:
    """Makes the function when it is first called; can be sent to another process before."""

    def __init__(self, make: Callable[[], Pipeline]) -> None:
        self._make = make
        self._function: Pipeline | None = None

    def __call__(self, run: RunHandle) -> None:
        if self._function is None:
            self._function = self._make()
        self._function(run)
