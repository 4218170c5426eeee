"""Talks to a running daemon over HTTP."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

import msgspec

from daemon import __version__
from daemon.cli.addresses import place_of, url_of
from daemon.cli.main import Exit
from daemon.cli.options import DEFAULT_URL
from daemon.cli.terminal import printable
from daemon.config import is_loopback
from daemon.config.secrets import resolve_secret
from daemon.config.values import Listen
from daemon.errors import ConfigError, Problem, TriagedError
from daemon.pipelines.kinds import load_settings

KEY_VARIABLE = "TRIAGED_API_KEY"
COMMAND_SECONDS = 90.0
"""How long a command may take: longer than the daemon waits for its store."""
_ATTEMPTS = 5
_LONGEST_WAIT = 60
"""Seconds until a request that came too early is made again, at most."""
_CHUNK = 256 * 1024

Answer = TypeVar("Answer")


class Unreachable(TriagedError):
    """No daemon answers at that address."""

    exit_code = Exit.UNREACHABLE


class RequestRefused(TriagedError):
    """The daemon refused the request."""

    exit_code: Exit = Exit.UNREACHABLE

    def __init__(self, message: str, status: int, detail: str) -> None:
        """`detail` is what the daemon itself says."""
        self.status = status
        self.detail = detail
        super().__init__(message)


class _Version(msgspec.Struct, frozen=True):
    version: str


class _NoRedirects(HTTPRedirectHandler):
    """A daemon never redirects; what does is something else, and must not be sent our key."""

    def redirect_request(self, *_: Any) -> None:
        return None


ANSWER_SECONDS = 10.0


class Client:
    """Requests to one daemon."""

    def __init__(self, url: str, key: str | None = None, timeout: float = ANSWER_SECONDS) -> None:
        """Raises `ConfigError` when `url` is not the address of a daemon."""
        self.url = _checked(url)
        self._headers = {"Accept": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._timeout = timeout
        self._opener = _opener(urlsplit(self.url).hostname or "")

    def get(self, path: str, kind: type[Answer], /, **query: Any) -> Answer:
        """The answer at `path` as a `kind`. Raises `Unreachable`, `RequestRefused`."""
        with self._open(path, query) as response:
            return self._decoded(response.read(), kind)

    def post(self, path: str, kind: type[Answer], body: Any = None) -> Answer:
        """What a command answers, as a `kind`. Raises `Unreachable`, `RequestRefused`."""
        content = b"" if body is None else msgspec.json.encode(body)
        with self._open(path, {}, content) as response:
            return self._decoded(response.read(), kind)

    def put(self, path: str, kind: type[Answer], body: Any) -> Answer:
        """What replacing answers, as a `kind`. Raises `Unreachable`, `RequestRefused`."""
        with self._open(path, {}, msgspec.json.encode(body), "PUT") as response:
            return self._decoded(response.read(), kind)

    def delete(self, path: str) -> None:
        """Removes what is at `path`. Raises `Unreachable`, `RequestRefused`."""
        with self._open(path, {}, b"", "DELETE"):
            pass

    def _decoded(self, body: bytes, kind: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreachable(
                f"what answers at {self.url} is not a triaged of this version"
                f"{self._versions()}: {error}"
            ) from None

    def _versions(self) -> str:
        """Which version answers, where one says so."""
        try:
            with self._open("/healthz", {}) as response:
                version = msgspec.json.decode(response.read(), type=_Version).version
        except (TriagedError, msgspec.DecodeError, UnicodeDecodeError):
            return ""
        return f" (it is {printable(version)}, this command {__version__})"

    def stream(self, path: str, /, **query: Any) -> Iterator[bytes]:
        """The bytes at `path` as they come. Raises `Unreachable`, `RequestRefused`."""
        with self._open(path, query) as response:
            while chunk := response.read1(_CHUNK):
                yield chunk

    @contextmanager
    def _open(
        self,
        path: str,
        query: dict[str, Any],
        body: bytes | None = None,
        method: str | None = None,
    ) -> Iterator[HTTPResponse]:
        given = {key: value for key, value in query.items() if value is not None}
        address = f"{self.url}{path}{'?' if given else ''}{urlencode(given)}"
        headers = self._headers | ({"Content-Type": "application/json"} if body else {})
        request = Request(address, body, headers, method=method)  # noqa: S310 the scheme is checked
        timeout = self._timeout if body is None else COMMAND_SECONDS
        try:
            with self._patiently(request, timeout) as response:
                yield response
        except HTTPError as error:
            with error:
                raise _refusal(self.url, error) from None
        except (OSError, HTTPException) as error:
            raise Unreachable(_silence(self.url, error)) from None

    def _patiently(self, request: Request, timeout: float) -> HTTPResponse:
        """The answer to a request, which is made again when a daemon says that it is too early."""
        for _ in range(_ATTEMPTS):
            try:
                return self._opened(request, timeout)
            except HTTPError as error:
                wait = error.headers.get("Retry-After", "")
                if error.code != HTTPStatus.TOO_MANY_REQUESTS or not wait.isdecimal():
                    raise
                error.close()
                time.sleep(min(int(wait), _LONGEST_WAIT))
        return self._opened(request, timeout)

    def _opened(self, request: Request, timeout: float) -> HTTPResponse:
        response: HTTPResponse = self._opener.open(request, timeout=timeout)
        return response


def make_client(args: Namespace, url: str | None = None, timeout: float = ANSWER_SECONDS) -> Client:
    """The client that `--url` or `--config`, and `--key-file`, ask for, or one for `url`. Raises `ConfigError`."""
    if url is None:
        place = place_of(args)
        url = place if isinstance(place, str) else url_of(_listen(place))
    key = os.environ.get(KEY_VARIABLE)
    if args.key_file is not None:
        key, wrong = resolve_secret(None, str(args.key_file), Path(), {}, Path.read_bytes)
        if wrong:
            raise ConfigError([Problem("--key-file", wrong)])
    if key and not (key.isascii() and key.isprintable()):
        raise ConfigError([Problem(KEY_VARIABLE, "the key has characters that no key has")])
    return Client(url, key, timeout)


def _listen(config: Path) -> Listen:
    return load_settings(config, check_keys=False).config.server.listen


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or parts.username or not url.isprintable():
        raise ConfigError([Problem("--url", f"expected an address such as {DEFAULT_URL}")])
    return url.rstrip("/")


def _opener(host: str) -> OpenerDirector:
    """Goes past any proxy for a daemon on this machine."""
    proxies = [ProxyHandler({})] if is_loopback(host) else []
    return build_opener(_NoRedirects, *proxies)


def _refusal(url: str, error: HTTPError) -> RequestRefused:
    try:
        said = msgspec.json.decode(error.read(64 * 1024), type=dict[str, Any]).get("detail")
    except (msgspec.DecodeError, UnicodeDecodeError, OSError, HTTPException):
        said = None
    detail = str(said or error.reason)
    if error.code == HTTPStatus.UNAUTHORIZED:
        text = f"{url} needs an API key: set {KEY_VARIABLE}, or name a file with --key-file"
    else:
        text = f"{url} answered {error.code}: {detail}"
    return RequestRefused(text, error.code, detail)


def _silence(url: str, error: Exception) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return (
        f"no triaged answers at {url} ({text}). Start one with `triaged serve --config FILE`, say "
        "where it is with --url, or read the store of a stopped one with --config FILE"
    )
