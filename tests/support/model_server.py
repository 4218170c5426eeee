"""An OpenAI-compatible endpoint on loopback that answers as it is told, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ModelServer:
    """What was asked, and what is to be answered."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.answer: bytes | None = None
        """The body as it is; else a proper answer that names `category`."""
        self.category = "newsletter"
        self.slow: str | None = None
        """Part of the answer that trickles, a byte at a time, without end: headers or body."""
        self.stop = threading.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def body(self) -> bytes:
        if self.answer is not None:
            return self.answer
        content = json.dumps({"category": self.category})
        return json.dumps({"choices": [{"message": {"content": content}}]}).encode()


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """A server that listens until the end of the block."""
    told = ModelServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            assert self.path == "/v1/chat/completions"
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            told.requests.append(json.loads(asked))
            told.keys.append(self.headers["Authorization"])
            if told.slow == "headers":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                return self.trickle()
            body = told.body()
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(10**9 if told.slow else len(body)))
            self.end_headers()
            if told.slow == "body":
                return self.trickle()
            self.wfile.write(body)
            return None

        def trickle(self) -> None:
            self.close_connection = True
            try:
                while not told.stop.wait(0.02):
                    self.wfile.write(b" ")
                    self.wfile.flush()
            except OSError:
                pass  # the client has had enough

        def log_message(self, *_: Any) -> None:
            """Tests say what went wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        told.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
