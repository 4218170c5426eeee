"""What is done once at every start, as a part."""

from __future__ import annotations

from collections.abc import Callable

from daemon.parts import Part


class AtStart(Part):
    """Does something at a start, and has nothing to stop."""

    def __init__(self, name: str, begin: Callable[[], None]) -> None:
        super().__init__(name)
        self._begin = begin

    def _start(self) -> None:
        self._begin()
