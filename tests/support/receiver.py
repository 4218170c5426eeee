"""Who gets alerts, in tests: a real HTTP server for webhooks, Slack's messages and links, and a mail server."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import threading
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, cast

RUNBOOKS = Path(__file__).parents[2] / "alerts/runbooks"


class Notified(NamedTuple):
    """An alert as a webhook was told of it."""

    receiver: str
    """The last part of the webhook's path."""
    status: str
    name: str
    labels: dict[str, str]
    annotations: dict[str, str]


class Receiver:
    """Takes webhooks at /triaged/NAME and messages at /slack; serves runbooks and dashboards of a sort."""

    def __init__(self) -> None:
        self.alerts: list[Notified] = []
        self.slack: list[dict[str, Any]] = []
        self.mails: list[EmailMessage] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._smtp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mail)
        for server in (self._http, self._smtp):
            cast("Any", server).receiver = self
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.smtp = f"127.0.0.1:{self._smtp.server_address[1]}"

    def take(self, path: str, body: dict[str, Any]) -> None:
        """A message has come in."""
        if path == "/slack":
            self.slack.append(body)
            return
        for alert in body["alerts"]:
            name = alert["labels"]["alertname"]
            receiver = path.rsplit("/", 1)[1]
            self.alerts.append(
                Notified(receiver, alert["status"], name, alert["labels"], alert["annotations"])
            )

    def told(self, name: str, status: str = "firing", receiver: str = "") -> Notified | None:
        """The first notification of that kind; None while there is none."""
        found = (
            alert
            for alert in list(self.alerts)
            if (alert.name, alert.status) == (name, status) and receiver in ("", alert.receiver)
        )
        return next(found, None)

    def close(self) -> None:
        """Takes no more."""
        for server in (self._http, self._smtp):
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        cast("Any", self.server).receiver.take(self.path, body)
        self._answer(200, b"ok")

    def do_GET(self) -> None:
        kind, _, name = self.path.lstrip("/").partition("/")
        file = RUNBOOKS / Path(name).name
        if kind == "runbooks" and file.is_file():
            self._answer(200, file.read_bytes())
        elif kind == "grafana":
            self._answer(200, self.path.encode())
        else:
            self._answer(404, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests read assertions, not requests."""


class _Mail(socketserver.StreamRequestHandler):
    """As much SMTP as it takes to be handed a mail."""

    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline():
            command = line.decode().strip().upper()
            if command == "DATA":
                self._say("354 go on")
                self._receive()
                self._say("250 taken")
            elif command == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _receive(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        cast("Any", self.server).receiver.mails.append(mail)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
