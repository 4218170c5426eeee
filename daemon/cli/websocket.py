"""Uvicorn's WebSockets with bounds: on what waits to be sent, and on how long a dead client is kept."""

from __future__ import annotations

import socket
from asyncio.transports import BaseTransport
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

WRITE_BYTES = 65_536
"""What waits in the process to be sent to one client; beyond it the client is behind."""
KERNEL_BYTES = 131_072
"""The same in the kernel, which would otherwise keep megabytes for each client that does not read."""
CLOSE_SECONDS = 2.0
"""How long a client may take to answer a close, or to read what is before it."""


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket that is closed in bounded time and memory, however its client behaves."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        super().__init__(config, server_state, app_state)
        self.close_timeout = CLOSE_SECONDS

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=WRITE_BYTES)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)

    def pause_writing(self) -> None:
        """Who does not read is not listened to, or answers to pings would fill the buffer for ever."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()

    def shutdown(self) -> None:
        super().shutdown()
        self._close_soon()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._close_soon()

    def _close_soon(self) -> None:
        """What is in the buffer is sent if the client takes it in time; then the connection ends."""
        self.transport.close()
        self.loop.call_later(CLOSE_SECONDS, self.transport.abort)
