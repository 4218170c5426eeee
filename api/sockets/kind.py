"""A kind of topic: where its sockets are, who may open one, and what is said on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from api.schemas.live import ErrorMessage, Ping, Pong, Request
from api.sockets.admission import Admit, readers
from api.sockets.broadcaster import Pace
from api.sockets.feed import Opened
from daemon.composition.offered import Offered


class TopicKind(NamedTuple):
    """All that the hub has to know. Pong, complaints and ping are part of every kind."""

    name: str
    """Topics are named ``NAME/ID``."""
    address: str
    """Of its sockets. With ``{topic_id:str}`` where there are several topics of the kind."""
    description: str
    tells: tuple[type[msgspec.Struct], ...]
    """The messages of the server."""
    open: Callable[[Offered], Opened]
    """Finds the feed of a topic. What is made here lasts as long as the API."""
    asks: tuple[type[Request], ...] = ()
    """What clients may ask, answered by the feed."""
    admit: Admit = readers
    pace: Pace = Pace()

    @property
    def messages(self) -> tuple[type[msgspec.Struct], ...]:
        """All that the server says."""
        return (*self.tells, Pong, ErrorMessage)

    @property
    def requests(self) -> tuple[type[Request], ...]:
        """All that clients may say."""
        return (*self.asks, Ping)
