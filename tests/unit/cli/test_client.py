"""The client against real sockets that answer well, badly or not at all."""

from __future__ import annotations

import re
import threading
from argparse import Namespace
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import msgspec
import pytest

from daemon import __version__
from daemon.cli.client import Client, RequestRefused, Unreachable, make_client
from daemon.cli.main import main
from daemon.errors import ConfigError
from tests.support.product import free_port


class Answer(msgspec.Struct):
    text: str


class Handler(BaseHTTPRequestHandler):
    """Answers by the path; remembers what it was sent."""

    seen: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["Authorization"]))
        status, body, more = {
            "/good": (200, b'{"text": "yes", "later": 1}', {}),
            "/healthz": (200, b'{"status": "ok", "version": "0.0.9"}', {}),
            "/older": (200, b'{"words": "yes"}', {}),
            "/html": (200, b"<html>", {}),
            "/key": (401, b"{}", {}),
            "/mistake": (400, b'{"detail": "limit: expected less"}', {}),
            "/moved": (302, b"", {"Location": "/good"}),
            "/cut": (200, b"half", {"Content-Length": "100"}),
        }[self.path.partition("?")[0]]
        self.send_response(status)
        self.send_header("Content-Length", more.pop("Content-Length", str(len(body))))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    Handler.seen = []
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def client(server) -> Client:
    return Client(f"http://127.0.0.1:{server.server_port}/", key="a-key-of-16-chars")


def test_a_good_answer_is_read_with_fields_of_later_versions_left_out(client):
    assert client.get("/good", Answer, q="a b&c", category=None) == Answer("yes")
    assert Handler.seen == [("/good?q=a+b%26c", "Bearer a-key-of-16-chars")]


@pytest.mark.parametrize("path", ["/html", "/cut"])
def test_what_is_not_triaged_is_said_to_be_something_else(client, path):
    with pytest.raises(Unreachable):
        client.get(path, Answer)


def test_a_refusal_carries_the_detail_of_the_problem(client):
    with pytest.raises(RequestRefused, match="answered 400: limit: expected less"):
        client.get("/mistake", Answer)


def test_a_missing_key_says_where_one_is_taken_from(client):
    with pytest.raises(RequestRefused, match="set TRIAGED_API_KEY, or name a file with --key-file"):
        client.get("/key", Answer)


def test_a_redirect_is_not_followed_so_the_key_goes_nowhere_else(client):
    with pytest.raises(RequestRefused, match="answered 302"):
        client.get("/moved", Answer)
    assert len(Handler.seen) == 1


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(client, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    assert client.get("/good", Answer) == Answer("yes")


def test_nobody_there_is_said_with_what_to_do(capsys):
    assert main(["runs", "--url", f"http://127.0.0.1:{free_port()}"]) == 5
    said = capsys.readouterr().err
    assert "Connection refused" in said
    assert "triaged serve --config FILE" in said


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8080",
        "ftp://a",
        "http://",
        "http://u:p@a",
        "http://a?q",
        "http://a:x",
        "http://a\n",
    ],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ConfigError, match="--url: expected an address"):
        Client(url)


def test_the_key_comes_from_a_file_or_the_environment(tmp_path, monkeypatch, server):
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("TRIAGED_API_KEY", "from-environment")
    make_client(Namespace(url=url, key_file=None)).get("/good", Answer)
    (tmp_path / "key").write_text("from-file\n")
    make_client(Namespace(url=url, key_file=tmp_path / "key")).get("/good", Answer)
    assert [key for _, key in Handler.seen] == ["Bearer from-environment", "Bearer from-file"]


@pytest.mark.parametrize("content", [None, "", "two\nlines", "ünïcode"])
def test_a_key_file_without_a_key_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "key").write_text(content)
    with pytest.raises(ConfigError):
        make_client(Namespace(url=None, key_file=tmp_path / "key"))


def test_a_daemon_of_another_version_is_named_with_its_version(client):
    with pytest.raises(Unreachable, match=f"it is 0.0.9, this command {re.escape(__version__)}"):
        client.get("/older", Answer)
