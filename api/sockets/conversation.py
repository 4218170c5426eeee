"""What a client may say on its socket, and what it is answered."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from api.schemas.live import FromClient, GetRecentRuns, Ping
from api.sockets.admission import Socket
from api.sockets.board import Board
from api.sockets.follower import Follower
from daemon.access.rate_limit import Bucket
from daemon.clock import Clock
from daemon.errors import StoreError

BURST = 20
"""Messages that are answered at once."""
PER_SECOND = 5.0
"""Messages that are answered after that. Who sends more waits, and at last cannot send."""

_decoder: msgspec.json.Decoder[Ping | GetRecentRuns] = msgspec.json.Decoder(FromClient)


async def converse(socket: Socket, follower: Follower, board: Board, clock: Clock) -> None:
    """Answers messages one after the other till the client leaves or is dropped."""
    allowance = Bucket(BURST, PER_SECOND, clock.monotonic())
    while True:
        event: Any = await socket.receive()
        if event["type"] == "websocket.disconnect":
            return
        await asyncio.sleep(allowance.take(clock.monotonic()))
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
