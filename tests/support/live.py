"""A client of the live status, as a program would be one."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.product import PATIENCE, Product

Message = dict[str, Any]


class Listener:
    """An open socket, and all that was heard on it."""

    def __init__(
        self, product: Product, query: str = "", host: str = "127.0.0.1", **options: Any
    ) -> None:
        """`host` is what the client calls the machine, which is this one in any case."""
        self.heard: list[Message] = []
        self._opened = ExitStack()
        address = f"ws://{host}:{product.port}/ws/status{query}"
        connection = socket.create_connection(("127.0.0.1", product.port), PATIENCE)
        self.socket: ClientConnection = self._opened.enter_context(
            connect(address, sock=connection, **options)
        )

    def hear(self) -> Message:
        """The next message."""
        message: Message = json.loads(self.socket.recv(PATIENCE))
        self.heard.append(message)
        return message

    def hear_until(self, wanted: Callable[[Message], Any]) -> Message:
        """The first message that is wanted; fails when none comes in time."""
        deadline = time.monotonic() + PATIENCE
        while not wanted(message := self.hear()):
            assert time.monotonic() < deadline, f"waited in vain; the last was {message}"
        return message

    def hear_type(self, kind: str) -> Message:
        """The next message of a type."""
        return self.hear_until(lambda message: message["type"] == kind)

    def ask(self, message: Any) -> None:
        """Sends a message: as JSON, or text or bytes as they are."""
        self.socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    def closed_with(self) -> tuple[int, str]:
        """Code and reason that the server closes the socket with."""
        with suppress(ConnectionClosed):
            while True:
                self.hear()
        code, reason = self.socket.close_code, self.socket.close_reason
        assert code is not None
        assert reason is not None
        return code, reason

    def failures(self) -> int:
        """How many new failures were told so far."""
        return sum(m["data"]["count"] for m in self.heard if m["type"] == "failure")

    def close(self) -> None:
        self._opened.close()


def server_time(message: Message) -> datetime:
    """When the server made a message."""
    return datetime.fromisoformat(message["server_time"])
