"""One client that follows a topic: what it was told, and whether it keeps up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from api.sockets.closing import Refused
from daemon.clock import Clock

Event = dict[str, Any]
"""An ASGI event."""
Send = Callable[[Any], Awaitable[None]]


def message(text: str) -> Event:
    """The event that sends a text."""
    return {"type": "websocket.send", "text": text}


def farewell(code: int, reason: str) -> Event:
    """The event that closes a socket."""
    return {"type": "websocket.close", "code": code, "reason": reason}


class Follower:
    """The sending side of a socket: a slot for what it is told next, and a task that sends it.

    The connection takes messages until its write buffer is full. From then on until it is empty again
    the client is behind: it is offered nothing, and gets the newest state afterwards.
    """

    def __init__(
        self, name: str, send: Send, clock: Clock, may_stay: Callable[[], bool] = lambda: True
    ) -> None:
        """`send` takes an ASGI event. To be made on the event loop."""
        self.name = name
        self.may_stay = may_stay
        self.since = clock.monotonic()
        self.announced: int | None = None
        """The number of the newest notice that this client was told of, or that was there before it."""
        self.seen = -1
        """Revision of the state that it was told last."""
        self.told_at = float("-inf")
        """When that was, on the monotonic clock."""
        loop = asyncio.get_running_loop()
        self.dropped: asyncio.Future[Refused] = loop.create_future()
        """Comes when the client has to go, and says why."""
        self._send = send
        self._clock = clock
        self._finished = False
        self._offered_at: float | None = None
        self._unsent_notices = 0
        # A future is a queue with one place, at a third of the time that `asyncio.Queue` takes.
        self._slot: asyncio.Future[Sequence[Event]] = loop.create_future()
        self._sending = asyncio.create_task(self._send_on())

    def offer(self, events: Sequence[Event], notices: int = 0) -> bool:
        """Hands over what it is told next, and never waits. False if the client is behind."""
        if self.is_behind:
            return False
        self._offered_at = self._clock.monotonic()
        self._unsent_notices = notices
        self._slot.set_result(events)
        return True

    def finish(self, events: Sequence[Event], notices: int = 0) -> None:
        """As `offer`, and nothing more after that."""
        self._finished = self.offer(events, notices) or self._finished

    async def _send_on(self) -> None:
        try:
            while True:
                for event in await self._slot:
                    await self._send(event)
                self._slot = asyncio.get_running_loop().create_future()
                self._offered_at, self._unsent_notices = None, 0
        except Exception:  # noqa: BLE001 (whatever it is: the one who receives learns why)
            self._offered_at, self._finished = None, True

    async def answer(self, text: str) -> None:
        """Sends the answer to a message, as soon as the client takes it."""
        await self._send(message(text))

    @property
    def is_behind(self) -> bool:
        """Whether it would not take a message now, or needs none any more."""
        return self._finished or self._offered_at is not None

    def behind(self) -> float:
        """Seconds since the client takes nothing; 0 while it keeps up."""
        return 0.0 if self._offered_at is None else self._clock.monotonic() - self._offered_at

    def notices_missed(self, newest: int | None) -> int:
        """Notices that it was not told of, up to this number."""
        untold = newest - self.announced if newest and self.announced is not None else 0
        return untold + self._unsent_notices

    def drop(self, code: int, reason: str) -> None:
        """Lets go a client that does not keep up, or may not stay."""
        self._finished = True
        if not self.dropped.done():
            self.dropped.set_result(Refused(code, reason))

    async def leave(self) -> None:
        """Ends what is still under way."""
        self._finished = True
        self._sending.cancel()
        await asyncio.wait([self._sending])
