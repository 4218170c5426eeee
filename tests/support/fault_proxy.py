"""A proxy in front of a real IMAP server that breaks the connection in one chosen way."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from typing import Literal, NamedTuple, Self

Then = Literal["close", "reset", "hang", "garbage", "trickle", "delay", "inject", "pass"]


class Fault(NamedTuple):
    """What happens to what the server sends."""

    then: Then
    after: bytes = b""
    """Bytes of a client's command from which on the fault lies in wait; at once when empty."""
    let_through: int = 0
    """Bytes of the server that still pass."""
    greeting: bytes | None = None
    """Sent in place of everything that the server sends."""
    pause: float = 0.5
    """Seconds between two bytes that trickle, or before an answer that is delayed."""
    ahead: bytes = b""
    """Injected ahead of what the server sends next, as if the server had sent it."""
    behind: bytes = b""
    """Injected behind it."""


class FaultProxy:
    """Listens on loopback until the end of its `with` block; every connection gets the fault."""

    def __init__(self, upstream: int, fault: Fault) -> None:
        self._upstream = upstream
        self.fault = fault
        self.connections = 0
        self.injected = False
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=10)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self.fault.greeting is not None:
                client.sendall(self.fault.greeting)
                self._fault(client, b"")
                return
            with socket.create_connection(("127.0.0.1", self._upstream)) as server:
                self._relay(client, server)

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        armed, left = not self.fault.after, self.fault.let_through
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ)
            ready.register(server, selectors.EVENT_READ)
            while not self._over.is_set():
                for key, _ in ready.select(timeout=0.1):
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                    if not data:
                        return
                    if key.fileobj is client:
                        server.sendall(data)
                        armed = armed or self.fault.after in data
                    elif not armed:
                        client.sendall(data)
                    else:
                        client.sendall(data[:left])
                        rest, left = data[left:], max(0, left - len(data))
                        if rest and not self._fault(client, rest):
                            return

    def _fault(self, client: socket.socket, rest: bytes) -> bool:
        """Does it; whether the connection goes on afterwards."""
        match self.fault.then:
            case "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case "garbage":
                client.sendall(b"\x00\xff%% this is no IMAP\r\n" + rest)
                self._over.wait()
            case "hang":
                self._over.wait()
            case "trickle":
                for byte in rest:
                    if self._over.wait(self.fault.pause):
                        break
                    client.sendall(bytes([byte]))
                return True
            case "delay":
                self._over.wait(self.fault.pause)
                client.sendall(rest)
                return True
            case "inject" if not self.injected:
                client.sendall(self.fault.ahead + rest + self.fault.behind)
                self.injected = True
                return True
            case "inject" | "pass":
                client.sendall(rest)
                return True
        return False
