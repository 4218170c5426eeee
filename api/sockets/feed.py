"""What is told on the sockets of a topic: made once for all who follow it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from api.schemas.live import Message

_encoder = msgspec.json.Encoder()


class Feed(Protocol):
    """A topic as its followers see it: a state, of which only the newest counts, and notices, which all do.

    For the event loop: nothing but `freshen` and `answer` may wait.
    """

    notices_are: str
    """What its notices are about, such as failures."""

    @property
    def newest(self) -> int | None:
        """The number of the newest notice; None before anything was read."""

    @property
    def ended(self) -> bool:
        """Whether the state is the final one. Asked before the state: what it is after that stays."""

    def revision(self) -> object:
        """What differs from an earlier one if there is something new to tell."""

    async def freshen(self, seconds: float) -> bool:
        """Waits so long at most till all that is there by now was read; whether it was."""

    def state(self, clients: int) -> str:
        """The whole state as it is now, for so many who follow."""

    def notices(self, after: int, count: int) -> Sequence[str]:
        """So many notices after the one of this number, in as few messages as can be."""

    async def answer(self, request: Any) -> str:
        """The answer to what a client asked, which is one of the kind's own requests."""


Opened = Callable[[str], Feed | None]
"""The feed of the topic with this ID; None when there is no such topic."""


def encode(message: msgspec.Struct) -> str:
    """The text of a message."""
    return _encoder.encode(message).decode()


def stamped(kind: Callable[..., Message], data: msgspec.Struct, now: Any) -> str:
    """The text of a message that was made now."""
    return encode(kind(data=data, timestamp=now, server_time=now))
