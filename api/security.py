"""Who may do what: API keys with roles, or, without keys, whoever is on this machine.

Without keys the daemon listens on loopback only. Then the Host header must name this machine, so
that a web site cannot reach it under a name of its own (DNS rebinding), and what changes something
must not come from another origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any, NamedTuple

from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import Message, Scope

from daemon.config import Settings

Connection = ASGIConnection[Any, Any, Any, Any]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL = "local"
"""Whoever is on this machine, where there are no keys."""
_ASKED_BY = "asked_by"
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class _Key(NamedTuple):
    digest: bytes
    role: str
    name: str


class Access:
    """The guards of the API, by the settings."""

    def __init__(self, settings: Settings) -> None:
        server = settings.config.server
        self._keys = [_Key(_digest(key.value), key.role, key.name) for key in settings.keys]
        names = (*_LOCAL_NAMES, server.listen.host, *server.hosts)
        self._hosts = frozenset(map(_host_name, names))

    def guard(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Lets a request through, or raises. Handlers without a role in `opt` need to read."""
        role = handler.opt.get("role", "read")
        if role is None:
            return
        connection.state[_ASKED_BY] = self.admit(connection, role)
        _check_content_type(connection)

    def admit(self, connection: Connection, role: str, given: str | None = None) -> str:
        """The name of who asks, a key's or ``local``, who may do what needs `role`; or raises.

        `given` is a key that came by another way than the headers, such as a socket's subprotocol.
        Raises `NotAuthorizedException` without a known key, `PermissionDeniedException` for what the
        key may not do or for another origin, `HTTPException` with status 421 for another host name.
        """
        if self._keys:
            return self._check_key(given or _given_key(connection.headers), role)
        self._check_host(connection.headers)
        if _changes_something(connection):
            _check_origin(connection.headers)
        return LOCAL

    def _check_key(self, given: str | None, role: str) -> str:
        """The name of the key that was given, which may do what needs `role`."""
        found = self._find(given) if given else None
        if found is None:
            raise NotAuthorizedException(
                detail="the API key is not known" if given else "an API key is needed",
                headers={"WWW-Authenticate": 'Bearer realm="triaged"'},
            )
        if role == "operate" and found.role != "operate":
            raise PermissionDeniedException(detail="this API key may read, but not operate")
        return found.name

    def _find(self, given: str) -> _Key | None:
        """A key. Compares with all of them, in a time that does not depend on it."""
        digest, found = _digest(given), None
        for key in self._keys:
            if compare_digest(key.digest, digest):
                found = key
        return found

    def _check_host(self, headers: Mapping[str, str]) -> None:
        if _host_name(headers.get("host", "")) not in self._hosts:
            raise HTTPException(
                status_code=421,
                detail="the Host header names another host; see server.hosts in the configuration",
            )


def asked_by(request: Connection) -> str:
    """Who asks: the name of the API key, or ``local`` where there are none."""
    return str(request.state.get(_ASKED_BY, LOCAL))


def _given_key(headers: Mapping[str, str]) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return headers.get("x-api-key")


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()


def _host_name(host: str) -> str:
    """A Host header without its port, as names are compared."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name = host if host.count(":") > 1 else host.partition(":")[0]
    return name.removesuffix(".")


def _changes_something(connection: Connection) -> bool:
    """Also a socket does, as far as origins go: browsers let any web site open and read one."""
    return connection.scope["type"] == ScopeType.WEBSOCKET or _method(connection) not in SAFE_METHODS


def _method(connection: Connection) -> str:
    return str(connection.scope.get("method", "GET"))


def _check_origin(headers: Mapping[str, str]) -> None:
    origin = headers.get("origin")
    if origin is None:
        return
    scheme, _, place = origin.lower().partition("://")
    if scheme not in ("http", "https") or place != headers["host"].strip().lower():
        raise PermissionDeniedException(detail="the request comes from another origin")


def _check_content_type(connection: Connection) -> None:
    """A body must say that it is JSON, which no form of another web site can."""
    headers = connection.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if _method(connection) not in SAFE_METHODS and kind != "application/json":
        raise HTTPException(status_code=415, detail="expected a body of type application/json")


async def add_headers(message: Message, _: Scope) -> None:
    """Sets the security headers of every answer, unless the handler has set its own."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
