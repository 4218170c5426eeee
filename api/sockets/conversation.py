"""What a client may say on its socket, and what it is answered."""

from __future__ import annotations

import asyncio
from typing import Any, Union

import msgspec

from api.schemas.live import Complaint, Empty, ErrorMessage, Ping, Pong, Request
from api.sockets.admission import Socket
from api.sockets.feed import Feed, stamped
from api.sockets.follower import Follower
from daemon.access.rate_limit import Bucket
from daemon.clock import Clock
from daemon.errors import StoreError

BURST = 20
"""Messages that are answered at once."""
PER_SECOND = 5.0
"""Messages that are answered after that. Who sends more waits, and at last cannot send."""


class Conversation:
    """What clients may say on the sockets of one kind of topic."""

    def __init__(self, requests: tuple[type[Request], ...], clock: Clock) -> None:
        self._decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Union[requests])  # noqa: UP007 (a tuple)
        self._expected = " or ".join(str(kind.__struct_config__.tag) for kind in requests)
        self._clock = clock

    async def go_on(self, socket: Socket, follower: Follower, feed: Feed) -> None:
        """Answers messages one after the other till the client leaves."""
        allowance = Bucket(BURST, PER_SECOND, self._clock.monotonic())
        while True:
            event: Any = await socket.receive()
            if event["type"] == "websocket.disconnect":
                return
            await asyncio.sleep(allowance.take(self._clock.monotonic()))
            await follower.answer(await self._answer(event.get("text"), feed))

    async def _answer(self, text: str | None, feed: Feed) -> str:
        if text is None:
            return self._complain("expected a text message with a JSON object, and no binary one")
        try:
            request = self._decoder.decode(text)
            return self._pong() if isinstance(request, Ping) else await feed.answer(request)
        except msgspec.ValidationError as error:
            return self._complain(f"expected a message of type {self._expected}: {error}")
        except (msgspec.DecodeError, RecursionError):
            return self._complain("expected a JSON object")
        except StoreError:
            return self._complain("the store cannot be read at the moment; try again later")

    def _pong(self) -> str:
        return stamped(Pong, Empty(), self._clock.now())

    def _complain(self, message: str) -> str:
        return stamped(ErrorMessage, Complaint(message=message), self._clock.now())
