"""A token endpoint of OAuth 2.0 on loopback, over real HTTP."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs


class TokenEndpoint:
    """Gives the tokens `access-1`, `access-2`, ... or the answer it is told to give."""

    def __init__(self) -> None:
        endpoint = self
        self.forms: list[dict[str, str]] = []
        self.status = 200
        self.answer: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.trickles = False

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                with contextlib.suppress(OSError):  # a client may leave in the middle
                    endpoint.respond(self)

            def log_message(self, *args: object) -> None:
                """Writes nothing to the tests' output."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    def respond(self, request: BaseHTTPRequestHandler) -> None:
        """Answers one request."""
        body = request.rfile.read(int(request.headers["Content-Length"]))
        self.forms.append({name: values[0] for name, values in parse_qs(body.decode()).items()})
        answer = self.answer or {
            "access_token": f"access-{len(self.forms)}",
            "expires_in": 3600,
            "token_type": "Bearer",
        }
        content = json.dumps(answer).encode()
        request.send_response(self.status)
        for name, value in {"Content-Length": str(len(content)), **self.headers}.items():
            request.send_header(name, value)
        request.end_headers()
        for byte in content:
            if self.trickles and self._over.wait(0.5):
                return
            request.wfile.write(bytes([byte]))
            request.wfile.flush()
