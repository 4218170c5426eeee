"""Bounds for the connections of the API, however their clients behave: how many, and how long each may wait.

Uvicorn closes connections that are kept alive, and no others: one that sends nothing, half a header or half
a body, or reads nothing of its answer, would stay for ever, until no descriptors are left for store and runs.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from daemon.config.schema import ServerConfig
from daemon.metrics import Metrics

log = logging.getLogger("triaged")

ACCEPTED_AT_ONCE = 4
"""ClientConnections that are taken from the kernel before any of them is looked at."""
WAITING_IN_KERNEL = 2048
RESERVED = 64
"""Descriptors that connections leave to the store, runs and scrapes, where there are enough."""
FEWEST = 8
MOST_DESCRIPTORS = 65_536
LEAST_BYTES_PER_SECOND = 512
"""Slower bodies are taken for none."""

_REFUSED = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\n"
    b"content-type: text/plain; charset=utf-8\r\n\r\ntoo many connections\n"
)
_TIMED_OUT = (
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n"
    b"content-type: text/plain; charset=utf-8\r\n\r\nthe request did not arrive in time\n"
)


def most_connections(wanted: int) -> int:
    """How many of the connections `wanted` the system allows, once the process has all descriptors it may have.

    Says so where they are fewer.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = max(soft, min(hard, MOST_DESCRIPTORS)) if hard >= 0 else MOST_DESCRIPTORS
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed = max(FEWEST, soft - RESERVED)
    if allowed < wanted:
        log.warning(
            "the system allows few descriptors, and so fewer connections than are configured",
            extra={"event": "few_descriptors", "descriptors": soft, "connections": allowed},
        )
    return min(wanted, allowed)


class Listener(socket.socket):
    """A socket that keeps what comes in a burst, whatever is asked of it when it is listened on again."""

    def listen(self, _backlog: int = 0, /) -> None:
        super().listen(WAITING_IN_KERNEL)


class ClientConnections:
    """All that are open. One too many takes the place of the one that has waited for a request longest."""

    def __init__(self, config: ServerConfig, metrics: Metrics) -> None:
        self.config = config
        self._most = most_connections(config.connections)
        self._waiting: dict[BoundedRequests, None] = {}
        self._busy: set[BoundedRequests] = set()
        self._sockets: set[asyncio.Transport] = set()
        self._ended = metrics.connections_ended
        metrics.connections.set_function(self._open)

    def protocol(self, **given: Any) -> BoundedRequests:
        """For the next connection."""
        return BoundedRequests(self, **given)

    def admit(self, connection: BoundedRequests) -> bool:
        """Whether there is room for it, or is made."""
        self._sockets = {transport for transport in self._sockets if not _is_closed(transport)}
        if self._open() >= self._most:
            if not self._waiting:
                self._ended.labels("refused").inc()
                return False
            self.end(next(iter(self._waiting)), "displaced")
        self._waiting[connection] = None
        return True

    def _open(self) -> int:
        """How many are open, also for another thread. Nothing tells when a WebSocket is closed, so that is looked at."""
        sockets = sum(not _is_closed(transport) for transport in self._sockets.copy())
        return len(self._waiting) + len(self._busy) + sockets

    def now_busy(self, connection: BoundedRequests) -> None:
        """A whole request has arrived."""
        if self._waiting.pop(connection, connection) is None:
            self._busy.add(connection)

    def now_waiting(self, connection: BoundedRequests) -> None:
        """It waits for its client."""
        if connection in self._busy:
            self._busy.discard(connection)
            self._waiting[connection] = None

    def now_socket(self, connection: BoundedRequests, transport: asyncio.Transport) -> None:
        """It has become a WebSocket, which counts till it is closed."""
        self.forget(connection)
        self._sockets.add(transport)

    def forget(self, connection: BoundedRequests) -> None:
        """It is closed."""
        self._waiting.pop(connection, None)
        self._busy.discard(connection)

    def end(self, connection: BoundedRequests, reason: str, answer: bytes = b"") -> None:
        """Closes it for a reason of ours."""
        self.forget(connection)
        self._ended.labels(reason).inc()
        if answer:
            connection.transport.write(answer)
            connection.transport.close()
        else:
            connection.transport.abort()


class BoundedRequests(H11Protocol):
    """Uvicorn's protocol, with a limit for each wait: for a header, for a body, for the client to read."""

    def __init__(self, all_connections: ClientConnections, **given: Any) -> None:
        super().__init__(**given)
        self._all = all_connections
        self._limits = all_connections.config
        self._timer: asyncio.TimerHandle | None = None
        self._phase = ""
        self._received = 0
        self._sending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._admitted = self._all.admit(self)
        if not self._admitted:
            transport.write(_REFUSED)
            transport.close()
            return
        super().connection_made(transport)
        self._follow()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._admitted:
            return
        self._all.forget(self)
        self._stop_timer()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._admitted and not self.transport.is_closing():
            self._received += len(data)
            super().data_received(data)
            self._follow()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        super().handle_websocket_upgrade(event)
        self._stop_timer()
        self._phase = "socket"
        self._all.now_socket(self, self.transport)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._follow()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._sending = self.loop.call_later(
            self._limits.send_timeout, lambda: self._all.end(self, "send_timeout")
        )

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def _follow(self) -> None:
        """Limits what the client has to do next, where that is something else than before."""
        phase = self._phase_now()
        if self._phase in (phase, "socket"):
            return
        self._phase = phase
        self._stop_timer()
        if phase == "header":
            self._all.now_waiting(self)
            self._timer = self.loop.call_later(self._limits.header_timeout, self._header_is_late)
            return
        self._all.now_busy(self)
        if phase == "body":
            self._wait_for_body()

    def _phase_now(self) -> str:
        if self.conn.their_state is h11.SEND_BODY:
            return "body"
        return "header" if self.conn.their_state is h11.IDLE else "answer"

    def _header_is_late(self) -> None:
        self._all.end(self, "header_timeout", _TIMED_OUT if self._received else b"")

    def _wait_for_body(self) -> None:
        seconds, before = self._limits.body_timeout, self._received

        def look() -> None:
            too_slow = self._received - before < seconds * LEAST_BYTES_PER_SECOND
            if too_slow and not self.flow.read_paused:
                self._all.end(self, "body_timeout", self._late_answer())
            else:
                self._wait_for_body()

        self._timer = self.loop.call_later(seconds, look)

    def _late_answer(self) -> bytes:
        return b"" if self.cycle is None or self.cycle.response_started else _TIMED_OUT

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _is_closed(transport: asyncio.Transport) -> bool:
    found = transport.get_extra_info("socket")
    return found is None or found.fileno() < 0
