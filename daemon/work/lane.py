"""The work of one pipeline: what waits, in the order of its turns, and what was claimed."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

from daemon.events import Work
from daemon.taxonomy import Priority

HEAD_START = {Priority.PERSON: 30.0, Priority.RETRY: 1.0, Priority.CYCLE: 0.0}
"""Seconds that work of a priority may have been asked for later and still has its turn first.

So nothing starves: what has waited that much longer comes first, whatever else is asked for. What is
tried again by itself has little of it: sources that hang would take the turns of those that work.
"""


class Task(Protocol):
    """Work with what is to be done about it. Each of the calls comes once at most, and one of them."""

    @property
    def work(self) -> Work:
        """What was asked for."""
        ...

    @property
    def waits_for_source(self) -> bool:
        """Whether it waits while its source is running; else it is left out then."""
        ...

    @property
    def kept(self) -> bool:
        """Whether the store keeps it until it is done, for a daemon that dies before."""
        ...

    @property
    def is_suspect(self) -> bool:
        """Whether the daemon may have died of it: of such tasks one is done at a time, so that no other is blamed."""
        ...

    def carry_out(self) -> bool:
        """Does it, in a thread of the queue. Its source is not run for anybody else meanwhile.

        Returns whether it is done; False when it was interrupted, because the daemon stops.
        """
        ...

    def leave_out(self) -> None:
        """Its turn came while its source was running."""
        ...

    def abandon(self) -> None:
        """The daemon stops before its turn came."""
        ...


class Claim(NamedTuple):
    """What a claim comes to."""

    task: Task | None
    left_out: list[Task]
    """Tasks before it whose sources are running, and that do not wait for them."""


def _always(_source: str, _beside: Collection[str]) -> bool:
    return True


class Lane:
    """One pipeline's work, of which at most `limit` is claimed at a time, and each source once."""

    def __init__(
        self, limit: int, has_room: Callable[[str, Collection[str]], bool] = _always
    ) -> None:
        """`has_room` is asked whether a source may be run beside others."""
        self.limit = limit
        self._has_room = has_room
        self.waiting: list[Task] = []
        """In the order in which their turns come, as far as their sources are free."""
        self.claimed: dict[str, Task] = {}
        """By source."""

    def add(self, task: Task) -> None:
        """Lets a task wait for its turn."""
        insort(self.waiting, task, key=_turn)

    @property
    def has_suspect(self) -> bool:
        """Whether one is claimed."""
        return any(task.is_suspect for task in self.claimed.values())

    def claim(self, *, suspects: bool = True) -> Claim:
        """Takes the next task whose source is free, and has room where it goes, unless the limit is reached.

        A suspect only if it may.
        """
        left_out: list[Task] = []
        if len(self.claimed) < self.limit:
            for task in self.waiting.copy():
                if task.is_suspect and not suspects:
                    continue
                source = task.work.source
                if source not in self.claimed and self._has_room(source, self.claimed):
                    self.waiting.remove(task)
                    self.claimed[source] = task
                    return Claim(task, left_out)
                if source in self.claimed and not task.waits_for_source:
                    self.waiting.remove(task)
                    left_out.append(task)
        return Claim(None, left_out)

    def finish(self, task: Task) -> None:
        """A claimed task is done: its source is free again."""
        del self.claimed[task.work.source]

    @property
    def sources(self) -> set[str]:
        """Those that have their turn, or wait for it."""
        return {*self.claimed, *(task.work.source for task in self.waiting)}

    def abandon(self) -> list[Task]:
        """Takes out everything that waits."""
        waiting, self.waiting = self.waiting, []
        return waiting


def _turn(task: Task) -> float:
    return task.work.asked_at.timestamp() - HEAD_START[task.work.priority]
