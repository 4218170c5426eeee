"""What a client may say on its socket, and what it is answered."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from api.schemas.live import FromClient, GetRecentRuns, Ping
from api.sockets.admission import Socket
from api.sockets.board import Board
from api.sockets.follower import Follower
from daemon.clock import Clock
from daemon.errors import StoreError

BURST = 20
"""Messages that are answered at once."""
PER_SECOND = 5.0
"""Messages that are answered after that. Who sends more waits, and at last cannot send."""

_decoder: msgspec.json.Decoder[Ping | GetRecentRuns] = msgspec.json.Decoder(FromClient)


class Allowance:
    """How many messages may be answered now: refilled as time passes, up to a burst."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left = float(BURST)
        self._at = clock.monotonic()

    def take(self) -> float:
        """Counts a message; returns how many seconds its answer has to wait."""
        now = self._clock.monotonic()
        self._left = min(BURST, self._left + (now - self._at) * PER_SECOND) - 1
        self._at = now
        return max(0.0, -self._left / PER_SECOND)


async def converse(socket: Socket, follower: Follower, board: Board, clock: Clock) -> None:
    """Answers messages one after the other till the client leaves or is dropped."""
    allowance = Allowance(clock)
    while True:
        event: Any = await socket.receive()
        if event["type"] == "websocket.disconnect":
            return
        await asyncio.sleep(allowance.take())
        await follower.answer(await _answer(event, board))


async def _answer(event: Any, board: Board) -> str:
    text = event.get("text")
    if text is None:
        return board.complaint("expected a text message with a JSON object, and no binary one")
    try:
        request = _decoder.decode(text)
        return board.pong() if isinstance(request, Ping) else await board.recent_runs(request.limit)
    except msgspec.ValidationError as error:
        return board.complaint(f"expected a message of type get_recent_runs or ping: {error}")
    except (msgspec.DecodeError, RecursionError):
        return board.complaint("expected a JSON object")
    except StoreError:
        return board.complaint("the store cannot be read at the moment; try again later")
