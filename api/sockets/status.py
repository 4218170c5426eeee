"""The socket at `/ws/status`: what goes on and what fails, as it happens."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from litestar import websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect

from api.sockets.admission import Doorkeeper, Socket, chosen_protocol
from api.sockets.broadcaster import Broadcaster
from api.sockets.closing import Refused
from api.sockets.conversation import converse
from api.sockets.follower import Drop, Follower
from daemon.service import Daemon

log = logging.getLogger("triaged.api")

DROP = "triaged.drop"
"""ASGI extension of our server: ends a connection whose client takes nothing, by code and reason."""


@websocket("/ws/status", opt={"role": None})
async def status_socket(
    socket: Socket,
    daemon: NamedDependency[Daemon],
    doorkeeper: NamedDependency[Doorkeeper],
    broadcaster: NamedDependency[Broadcaster],
) -> None:
    """Follows the status till the client leaves. Who may not is told why by a code."""
    try:
        await _serve(socket, daemon, doorkeeper, broadcaster)
    except (OSError, WebSocketDisconnect):
        return  # the client left while something was sent
    except Exception:
        log.exception("a socket failed", extra={"event": "socket_failed"})
        await socket.close(1011, "the server failed; its log says why")


async def _serve(
    socket: Socket, daemon: Daemon, doorkeeper: Doorkeeper, broadcaster: Broadcaster
) -> None:
    # Accepted first, since a browser shows its page nothing of a handshake that was refused.
    await socket.accept(chosen_protocol(socket))
    try:
        visitor = doorkeeper.admit(socket, "read")
        may_stay = partial(doorkeeper.lets_stay, visitor)
        follower = Follower(visitor.name, socket.send, _dropper(socket), daemon.clock, may_stay)
        async with broadcaster.following(follower):
            await converse(socket, follower, broadcaster.board, daemon.clock)
    except Refused as refused:
        await socket.close(refused.code, refused.reason)


def _dropper(socket: Socket) -> Drop:
    """What ends the connection at once, where the server can."""
    extensions: dict[str, Any] = socket.scope.get("extensions") or {}
    found: dict[str, Drop] = extensions.get(DROP, {})
    return found.get("drop", _leave_open)


def _leave_open(code: int, reason: str) -> None:
    """Nothing more is told to the client, and it goes when its connection ends."""
    log.debug(reason, extra={"event": "socket_left_open", "code": code})
