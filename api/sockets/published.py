"""What followers of a published topic are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from api.sockets.feed import Opened, encode
from daemon.clock import Clock
from daemon.composition.offered import Offered
from daemon.topics import Topic


class Wording(NamedTuple):
    """How what was published becomes messages: text from outside goes into them as data only."""

    state: Callable[[Any, datetime], msgspec.Struct]
    """The message of a state, also of the final one, made at a moment in UTC."""
    notices: Callable[[Sequence[Any], int, datetime], Iterable[msgspec.Struct]]
    """The messages of notices: the latest of them, oldest first, and how many there are in all."""
    notices_are: str = "notices"


class PublishedFeed:
    """A topic of `daemon.topics`, in the words of its kind."""

    def __init__(self, topic: Topic, wording: Wording, clock: Clock) -> None:
        self._topic = topic
        self._wording = wording
        self._clock = clock
        self.notices_are = wording.notices_are

    @property
    def newest(self) -> int:
        """How many notices there were."""
        return self._topic.read().notices

    @property
    def ended(self) -> bool:
        """Whether the state is the final one."""
        return self._topic.read().ended

    def revision(self) -> object:
        """The state itself."""
        return self._topic.read().state

    async def freshen(self, _: float) -> bool:
        """There is nothing to wait for."""
        return True

    def state(self, _: int) -> str:
        """The message of the newest state."""
        return encode(self._wording.state(self._topic.read().state, self._clock.now()))

    def notices(self, after: int, count: int) -> Sequence[str]:
        """The messages of notices: those since `after` that are still there, with the count of all."""
        made, latest = self._topic.read()[1:3]
        first = made - len(latest)
        new = latest[max(0, after - first) : max(0, after + count - first)]
        return [encode(message) for message in self._wording.notices(new, count, self._clock.now())]

    async def answer(self, request: Any) -> str:
        """Clients of these kinds may ask for a sign of life only, which needs no feed."""
        raise AssertionError(f"{request} is no request of this kind")


def published(kind: str, wording: Wording) -> Callable[[Offered], Opened]:
    """Topics of one kind that parts of the daemon publish, by ID."""

    def opened(offered: Offered) -> Opened:
        def feed(topic_id: str) -> PublishedFeed | None:
            topic = offered.topics.find(f"{kind}/{topic_id}")
            return None if topic is None else PublishedFeed(topic, wording, offered.clock)

        return feed

    return opened
