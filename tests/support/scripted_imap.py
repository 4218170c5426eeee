"""An IMAP server that says what it is told to: for answers that no server at hand can be made to give."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Self

Answer = bytes | list[bytes] | Callable[[bytes], bytes]
"""Lines with TAG for the tag; a list when the client says a line in between; or made from the command."""

CAPABILITY = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2\r\nTAG OK done\r\n"
SELECTED = (
    b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n"
    b"* OK [PERMANENTFLAGS (\\Seen \\*)] ok\r\nTAG OK [READ-WRITE] done\r\n"
)
USUAL: Mapping[bytes, Answer] = {
    b"CAPABILITY": CAPABILITY,
    b"LOGIN": b"TAG OK done\r\n",
    b"SELECT": SELECTED,
    b"EXAMINE": SELECTED.replace(b"READ-WRITE", b"READ-ONLY"),
    b"UID SEARCH": b"* SEARCH 11\r\nTAG OK done\r\n",
    b"LOGOUT": b"* BYE bye\r\nTAG OK done\r\n",
}
"""A server that lets everybody in."""


class ScriptedServer:
    """Answers commands by their beginnings, and keeps what it was asked, without tags."""

    def __init__(
        self, script: Mapping[bytes, Answer] | None = None, greeting: bytes = b"* OK ready\r\n"
    ) -> None:
        self.script = {**USUAL, **(script or {})}
        self.greeting = greeting
        self.received: list[bytes] = []
        self.unexpected: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._clients: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exception: object) -> None:
        for connection in (self._listener, *self._clients):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join(timeout=10)

    def commands(self, beginning: bytes) -> list[bytes]:
        """Those received that begin so."""
        return [command for command in self.received if command.startswith(beginning)]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines, contextlib.suppress(OSError):
            client.sendall(self.greeting)
            for line in lines:
                tag, _, command = line.rstrip(b"\r\n").partition(b" ")
                self.received.append(command)
                for part in self._answer(command):
                    if part is None:
                        self.received.append(lines.readline().rstrip(b"\r\n"))
                        continue
                    client.sendall(part.replace(b"TAG", tag))
                    if part.startswith(b"* BYE"):
                        return

    def _answer(self, command: bytes) -> list[bytes | None]:
        beginnings = [key for key in self.script if command.startswith(key)]
        if not beginnings:
            self.unexpected.append(command)
            return [b"TAG BAD not in the script\r\n"]
        answer = self.script[max(beginnings, key=len)]
        if callable(answer):
            answer = answer(command)
        if isinstance(answer, bytes):
            return [answer]
        parts: list[bytes | None] = []
        for part in answer:
            parts += [part, None]
        return parts[:-1]
