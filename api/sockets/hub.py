"""All that is followed live: each socket is let in, told what its topic tells, and let go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from litestar import websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import WebsocketRouteHandler

from api.sockets.admission import Doorkeeper, Socket, chosen_protocol
from api.sockets.broadcaster import CHANNEL, Broadcaster
from api.sockets.closing import Close, Refused
from api.sockets.connections import Connections, Limits
from api.sockets.conversation import Conversation
from api.sockets.feed import Feed
from api.sockets.follower import Follower
from api.sockets.kind import TopicKind
from daemon.composition.offered import Offered

log = logging.getLogger("triaged.api")

GREETING_SECONDS = 2.0
"""How long a client may keep the server from greeting it, or from telling it why it has to go."""


class Hub:
    """The sockets of all kinds of topics. Belongs to the event loop."""

    def __init__(
        self, offered: Offered, doorkeeper: Doorkeeper, kinds: Iterable[TopicKind]
    ) -> None:
        server = offered.settings.config.server
        limits = Limits(server.websocket_connections, server.websocket_connections_per_client)
        self._clock = offered.clock
        self._doorkeeper = doorkeeper
        self._connections = Connections(limits, offered.metrics)
        self._rooms = {kind.name: _Room(kind, offered) for kind in kinds}
        offered.metrics.notifications_dropped.labels(CHANNEL)  # at zero from the start

    async def serve(self, socket: Socket, kind: str) -> None:
        """Tells a client what it follows till one of them ends it. Who has to go is told why."""
        try:
            # Accepted first, since a browser shows its page nothing of a handshake that was refused.
            async with asyncio.timeout(GREETING_SECONDS):
                await socket.accept(chosen_protocol(socket))
            await self._admit(socket, self._rooms[kind])
        except Refused as refused:
            await _say_farewell(socket, refused.code, refused.reason)
        except (OSError, WebSocketDisconnect):
            return  # the client left while something was sent, or did not take even the greeting
        except Exception:
            log.exception("a socket failed", extra={"event": "socket_failed"})
            await _say_farewell(socket, 1011, "the server failed; its log says why")

    async def _admit(self, socket: Socket, room: _Room) -> None:
        topic_id = str(socket.path_params.get("topic_id", ""))
        visitor = room.kind.admit(self._doorkeeper, socket, topic_id)
        with self._connections.counted(visitor.name), room.entered(topic_id) as broadcaster:
            follower = Follower(visitor.name, socket.send, self._clock, visitor.may_stay)
            async with broadcaster.following(follower):
                await _stay(socket, follower, room.conversation, broadcaster.feed)


class _Room:
    """All topics of a kind that somebody follows."""

    def __init__(self, kind: TopicKind, offered: Offered) -> None:
        self.kind = kind
        self.conversation = Conversation(kind.requests, offered.clock)
        self._offered = offered
        self._find = kind.open(offered)
        self._broadcasters: dict[str, Broadcaster] = {}

    @contextmanager
    def entered(self, topic_id: str) -> Iterator[Broadcaster]:
        """Who tells the topic: made for the first who follows, forgotten with the last. Raises `Refused`."""
        found = self._broadcasters.get(topic_id)
        if found is None or found.feed.ended:
            found = self._broadcasters[topic_id] = self._make(topic_id)
        try:
            yield found
        finally:
            if not found.clients and self._broadcasters.get(topic_id) is found:
                del self._broadcasters[topic_id]

    def _make(self, topic_id: str) -> Broadcaster:
        feed = self._find(topic_id)
        if feed is None:
            raise Refused(Close.UNKNOWN, f"there is no {self.kind.name} of this name to follow")
        return Broadcaster(feed, self._offered.metrics, self._offered.clock, self.kind.pace)


async def _stay(socket: Socket, follower: Follower, conversation: Conversation, feed: Feed) -> None:
    """Till the client leaves. Raises `Refused` when it is dropped."""
    talking = asyncio.create_task(conversation.go_on(socket, follower, feed))
    ends: list[asyncio.Future[Any]] = [talking, follower.dropped]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not talking.done():
            raise follower.dropped.result()
        await talking
    finally:
        talking.cancel()


async def _say_farewell(socket: Socket, code: int, reason: str) -> None:
    with suppress(OSError, WebSocketDisconnect):
        async with asyncio.timeout(GREETING_SECONDS):
            await socket.close(code, reason)


def route(kind: TopicKind) -> WebsocketRouteHandler:
    """The handler at the address of a kind of topic."""

    @websocket(kind.address, opt={"role": None})
    async def follow(socket: Socket, hub: NamedDependency[Hub]) -> None:
        await hub.serve(socket, kind.name)

    return follow
