"""HEAD wherever GET is: the same answer without its body."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Litestar
from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Receive, Send


class Api(Litestar):
    """The application. Its routes know GET only, and to them a HEAD is one."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        answer = _Answer(receive, send, with_body=scope["method"] != "HEAD")
        if not answer.with_body:
            scope = {**scope, "method": "GET"}
        await super().__call__(scope, answer.receive, answer.send)


class _Answer:
    """What goes back and forth for one request."""

    def __init__(self, receive: Receive, send: Send, *, with_body: bool) -> None:
        self.with_body = with_body
        self._receive = receive
        self._send = send
        self._has_ended = asyncio.Event()
        self._is_read = False

    async def receive(self) -> Any:
        """What the client sends. Once a HEAD has its answer, that it is gone: nothing more need be made."""
        if self.with_body:
            return await self._receive()
        if not self._is_read:
            self._is_read = True
            return await self._receive()
        await self._has_ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """What the client gets. GET brings HEAD along in `Allow`."""
        if message["type"] == "http.response.start":
            headers = MutableScopeHeaders.from_message(message)
            allowed = headers.get("allow", "").split(", ")
            if "GET" in allowed:
                headers["allow"] = ", ".join(sorted({*allowed, "HEAD"}))
        if self.with_body or message["type"] != "http.response.body":
            await self._send(message)
        elif not self._has_ended.is_set():
            self._has_ended.set()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
