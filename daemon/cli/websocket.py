"""Bounds for the connection of a WebSocket, however its client behaves: what waits to be sent, and how long.

Uvicorn's protocol has neither. It is held to them from both of its sides, through what asyncio promises
of protocols and transports: one stands between it and the event loop, one between it and the connection.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

KERNEL_BYTES = 131_072
"""What waits in the kernel, which would otherwise keep megabytes for each client that does not read."""
CLOSE_SECONDS = 2.0
"""How long a client may take to read what is there when its connection is closed."""


class BoundedProtocol(asyncio.Protocol):
    """In front of another protocol. Who does not read is not listened to: nor could it be answered."""

    def __init__(self, inner: asyncio.Protocol) -> None:
        self._inner = inner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        self._connection = _Connection(cast("asyncio.Transport", transport))
        self._inner.connection_made(cast("asyncio.Transport", self._connection))

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()
        self._connection.hold()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
        self._connection.release()


class _Connection:
    """A transport that reads only while neither side holds it back, and that is closed in bounded time."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._paused = self._held = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def close(self) -> None:
        """What is in the buffer is sent if the client takes it in time; then the connection ends."""
        self._transport.close()
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._transport.abort)

    def pause_reading(self) -> None:
        self._paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._paused = False
        self._read_on()

    def hold(self) -> None:
        """As `pause_reading`, for the one in front."""
        self._held = True
        self._transport.pause_reading()

    def release(self) -> None:
        """Takes back `hold`."""
        self._held = False
        self._read_on()

    def _read_on(self) -> None:
        if not self._paused and not self._held:
            self._transport.resume_reading()
