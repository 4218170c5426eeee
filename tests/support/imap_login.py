"""An IMAP server on loopback that knows one user, and an empty folder. Its password may be changed."""

from __future__ import annotations

import base64
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ImapLogin(socketserver.ThreadingTCPServer):
    """Serves until closed."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, username: str, password: str) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.username = username
        self.password = password
        self.logins: list[bool] = []
        """Of each login whether it was let in."""
        self.silent = False
        """Whether it says nothing at all."""
        self.closing = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def knows(self, username: str, password: str) -> bool:
        """Whether a login is let in; it is noted."""
        self.logins.append((username, password) == (self.username, self.password))
        return self.logins[-1]


class _Conversation(socketserver.StreamRequestHandler):
    server: ImapLogin

    def handle(self) -> None:
        if self.server.silent:
            self.server.closing.wait(30)
            return
        self._say("* OK ready")
        while line := self.rfile.readline():
            tag, _, rest = line.decode().strip().partition(" ")
            command, _, arguments = rest.partition(" ")
            if not self._answer(tag, command.upper(), arguments):
                return

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def _answer(self, tag: str, command: str, arguments: str) -> bool:
        match command:
            case "CAPABILITY":
                self._say("* CAPABILITY IMAP4rev1 AUTH=PLAIN")
            case "LOGIN":
                username, password = self._arguments(arguments)
                return self._let_in(tag, username, password)
            case "AUTHENTICATE":
                self._say("+ ")
                _, username, password = base64.b64decode(self.rfile.readline()).split(b"\0")
                return self._let_in(tag, username.decode(), password.decode())
            case "SELECT" | "EXAMINE":
                self._say("* 0 EXISTS")
                self._say("* OK [UIDVALIDITY 1] valid")
                self._say(r"* OK [PERMANENTFLAGS (\*)] all may be kept")
                self._say(f"{tag} OK [READ-WRITE] done")
                return True
            case "UID":
                self._say("* SEARCH")
            case "LOGOUT":
                self._say("* BYE")
        self._say(f"{tag} OK done")
        return command != "LOGOUT"

    def _arguments(self, text: str) -> list[str]:
        """Words, quoted strings, and literals, which are asked for."""
        found: list[str] = []
        while text:
            if literal := re.fullmatch(r"\{(\d+)(\+?)\}", text):
                if not literal[2]:
                    self._say("+ go on")
                found.append(self.rfile.read(int(literal[1])).decode())
                text = self.rfile.readline().decode().strip()
            elif text.startswith('"'):
                quoted = re.match(r'"((?:[^"\\]|\\.)*)" ?', text)
                assert quoted is not None
                found.append(re.sub(r"\\(.)", r"\1", quoted[1]))
                text = text[quoted.end() :]
            else:
                word, _, text = text.partition(" ")
                found.append(word)
        return found

    def _let_in(self, tag: str, username: str, password: str) -> bool:
        if self.server.knows(username, password):
            self._say(f"{tag} OK logged in")
        else:
            self._say(f"{tag} NO [AUTHENTICATIONFAILED] Authentication failed.")
        return True


@contextmanager
def imap_login(username: str, password: str) -> Iterator[ImapLogin]:
    """A server that runs meanwhile."""
    with ImapLogin(username, password) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
