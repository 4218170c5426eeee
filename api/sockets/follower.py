"""One client that follows live: what it was told, and whether it keeps up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any

from daemon.clock import Clock

Send = Callable[[Any], Awaitable[None]]
Drop = Callable[[int, str], None]


class Follower:
    """The sending side of a socket. At most one message of the broadcaster is under way in it.

    The connection takes messages until its write buffer is full. From then on until it is empty again
    the client is behind: it is offered nothing, and gets the newest status afterwards.
    """

    def __init__(
        self,
        name: str,
        send: Send,
        drop: Drop,
        clock: Clock,
        may_stay: Callable[[], bool] = lambda: True,
    ) -> None:
        """`send` takes an ASGI event; `drop` closes the connection at once, whatever is in its buffer."""
        self.may_stay = may_stay
        self.name = name
        self.announced: int | None = None
        """The highest id of a failure that this client was told of, or that was there before it."""
        self.seen = -1
        """Revision of the status that it was told last."""
        self.told_at = float("-inf")
        """When that was, on the monotonic clock."""
        self.gone = False
        self._send = send
        self._drop = drop
        self._clock = clock
        self._behind_since: float | None = None
        self._unsent_failures = 0
        self._rest: asyncio.Future[None] | None = None

    def offer(self, text: str, failures: int = 0) -> bool:
        """Sends a message if the client keeps up, and never waits. False if it is behind.

        A coroutine is carried on here up to its first wait, which most never come to: a task for each
        message and client would take most of the time that a broadcast takes.
        """
        if self.is_behind:
            return False
        sending = _whole(self._send, text)
        try:
            waited_for = sending.send(None)
        except StopIteration:
            return True
        except Exception:  # noqa: BLE001 (whatever it is: the one who receives learns why)
            self.gone = True
            return False
        self._behind_since = self._clock.monotonic()
        self._unsent_failures = failures
        self._rest = asyncio.ensure_future(_carry_on(sending, waited_for))
        self._rest.add_done_callback(self._caught_up)
        return True

    def _caught_up(self, rest: asyncio.Future[None]) -> None:
        self._rest, self._behind_since = None, None
        if rest.cancelled() or rest.exception() is not None:
            self.gone = True
        else:
            self._unsent_failures = 0

    async def answer(self, text: str) -> None:
        """Sends the answer to a message, as soon as the client takes it."""
        await _whole(self._send, text)

    @property
    def is_behind(self) -> bool:
        """Whether it would not take a message now."""
        return self.gone or self._rest is not None

    def behind(self) -> float:
        """Seconds since the client takes nothing; 0 while it keeps up."""
        return 0.0 if self._behind_since is None else self._clock.monotonic() - self._behind_since

    def failures_missed(self, newest: int | None) -> int:
        """Failures that it was not told of, up to this id."""
        untold = newest - self.announced if newest and self.announced is not None else 0
        return untold + self._unsent_failures

    def drop(self, code: int, reason: str) -> None:
        """Ends the connection of a client that does not keep up, or may not stay."""
        self.gone = True
        self._drop(code, reason)

    async def leave(self) -> None:
        """Ends what is still under way."""
        self.gone = True
        if self._rest is not None:
            self._rest.cancel()
            await asyncio.wait([self._rest])


async def _whole(send: Send, text: str) -> None:
    await send({"type": "websocket.send", "text": text})


@coroutine
def _carry_on(begun: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """The rest of a coroutine that was begun outside of a task."""
    while True:
        try:
            yield waits_for
        except BaseException as error:  # noqa: BLE001 (it goes where it belongs)
            resume = partial(begun.throw, error)
        else:
            resume = partial(begun.send, None)
        try:
            waits_for = resume()
        except StopIteration:
            return
