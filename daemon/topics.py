"""What goes on and can be followed live: whoever works on something publishes how it is, and never waits.

A topic is the newest state of one thing, such as ``upload/17``, and a few of its latest notices. Publishing
replaces a reference; nothing is encoded, sent or woken by it. Who follows looks for himself, at his own
pace (`api/sockets`), so a topic that nobody follows costs nothing, and a slow follower slows nobody.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any, NamedTuple

from daemon.clock import Clock

KEPT_SECONDS = 600.0
"""How long a topic that ended still tells how."""
MOST_ENDED = 1_000
"""Topics that ended and are kept; of more, those that ended longest ago are forgotten."""
LISTED_NOTICES = 10
"""The latest notices of a topic, which are told in full; of those before, how many there were."""


class Published(NamedTuple):
    """A topic at one moment."""

    state: Any
    """Whatever was shown last: a record that nobody changes any more."""
    notices: int
    """How many notices there were so far."""
    latest: tuple[Any, ...]
    """The last of them, oldest first, at most ten."""
    ended: bool
    """Whether the state is the final one."""


class Topic:
    """One thing that goes on. May be used from any thread; once it ended, nothing changes it."""

    def __init__(self, state: Any, retire: Callable[[Topic], None]) -> None:
        """`retire` is told when it has ended."""
        self._lock = Lock()
        self._retire = retire
        self._state = state
        self._notices = 0
        self._latest: deque[Any] = deque(maxlen=LISTED_NOTICES)
        self._ended = False

    def show(self, state: Any) -> None:
        """How it is now. The newest replaces the one before, which nobody may have seen."""
        with self._lock:
            if not self._ended:
                self._state = state

    def notify(self, notice: Any) -> None:
        """What all who follow are told: one by one, or under load together, with a count."""
        with self._lock:
            if not self._ended:
                self._notices += 1
                self._latest.append(notice)

    def end(self, state: Any) -> None:
        """How it ended. Who follows is told, and then let go; who comes later is told for a while."""
        self.show(state)
        with self._lock:
            self._ended = True
        self._retire(self)

    def read(self) -> Published:
        """As it is at this moment."""
        with self._lock:
            return Published(self._state, self._notices, tuple(self._latest), self._ended)


class Topics:
    """All topics by name, ``KIND/ID``. May be used from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._open: dict[str, Topic] = {}
        self._ended: OrderedDict[str, tuple[Topic, float]] = OrderedDict()

    def open(self, name: str, state: Any) -> Topic:
        """The topic of this name, from now on with this state: the one that is open, or a new one."""
        with self._lock:
            self._ended.pop(name, None)
            topic = self._open.setdefault(name, Topic(state, partial(self._retire, name)))
        topic.show(state)
        return topic

    def find(self, name: str) -> Topic | None:
        """The topic of this name, open or ended lately; None when there is none."""
        with self._lock:
            self._forget()
            ended = self._ended.get(name)
            return ended[0] if ended else self._open.get(name)

    def _retire(self, name: str, topic: Topic) -> None:
        with self._lock:
            if self._open.get(name) is topic:
                del self._open[name]
                self._ended[name] = topic, self._clock.monotonic()
                self._forget()

    def _forget(self) -> None:
        now = self._clock.monotonic()
        while self._ended:
            _, at = next(iter(self._ended.values()))
            if len(self._ended) <= MOST_ENDED and now - at < KEPT_SECONDS:
                return
            self._ended.popitem(last=False)
