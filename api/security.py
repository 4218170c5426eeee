"""Who may do what: API keys with roles, or, without keys, whoever is on this machine.

Without keys the daemon listens on loopback only. Then the Host header must name this machine, so
that a web site cannot reach it under a name of its own (DNS rebinding), and what changes something
must not come from another origin.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from math import ceil

from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import (
    HTTPException,
    NotAuthorizedException,
    PermissionDeniedException,
    TooManyRequestsException,
)
from litestar.handlers import BaseRouteHandler
from litestar.types import Message, Scope

from api.origin import SAFE_METHODS, Connection, check_origin, host_names, method_of
from api.proxied import proxied_user
from daemon.access.keyring import Key, Keyring
from daemon.access.keys import is_damaged
from daemon.access.rate_limit import RateLimit, Remembered, client_of
from daemon.access.roles import LOCAL, Role, may, refusal
from daemon.clock import Clock
from daemon.config import is_loopback
from daemon.config.schema import ServerConfig
from daemon.metrics import Metrics

log = logging.getLogger("triaged.api")

WRONG_KEYS_PER_MINUTE = 60
"""Keys that are not known, from one client; a sixth of them at once."""
_ASKED_BY = "asked_by"
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Access:
    """The guards of the API."""

    def __init__(
        self, server: ServerConfig, keyring: Keyring, metrics: Metrics, clock: Clock
    ) -> None:
        self._keyring = keyring
        self._clock = clock
        self._proxy = server.proxy
        self._key_always = not is_loopback(server.listen.host) or bool(server.hosts)
        self._refused = metrics.requests_refused
        self._hosts = host_names(server.listen.host, *server.hosts)
        self._requests = RateLimit(server.requests_per_minute)
        self._wrong_keys = RateLimit(WRONG_KEYS_PER_MINUTE)
        self._welcome = Remembered()

    def guard(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Lets a request through, or raises. Handlers without a role in `opt` need to read."""
        _check_path(connection)
        _check_framing(connection)
        role = handler.opt.get("role", "read")
        if role is None:
            return
        self.admit(connection, role, limited=handler.opt.get("limited", True))
        _check_content_type(connection)

    def admit(
        self, connection: Connection, role: Role, given: str | None = None, *, limited: bool = True
    ) -> str:
        """The name of who asks, a key's, ``proxy:`` with a user's, or ``local``, who may do what needs `role`; or raises.

        `given` is a key that came by another way than the headers, such as a socket's subprotocol.
        Raises `NotAuthorizedException` without a good key, `TooManyRequestsException` when it is
        `limited` and asks too often, `PermissionDeniedException` for what the key may not do or for
        another origin, `HTTPException` with status 421 for another host name.
        """
        self._keyring.refresh()
        given = given or _given_key(connection.headers)
        user = proxied_user(connection, self._proxy) if self._proxy and not given else None
        if self._proxy and user:
            check_origin(connection, self._hosts)
            name, held, asker = user, str(self._proxy.role), user
        elif self._proxy or self._key_always or self._keyring.any:
            key = self._identify(connection, given)
            name, held, asker = key.name, key.role, f"key {key.name}"
        else:
            check_origin(connection, self._hosts)
            name, held, asker = LOCAL, "admin", _client(connection)
        if limited:
            self._limit(self._requests, asker)
        connection.scope["state"][_ASKED_BY] = name
        if not may(held, role):
            self._refused.labels("role").inc()
            raise PermissionDeniedException(detail=refusal(held, role))
        return name

    def held_by(self, name: str) -> Key | None:
        """The key of somebody who was let in by this name; None for ``local``."""
        return self._keyring.named(name)

    def lasts(self, key: Key | None) -> bool:
        """Whether who was let in with this key, or without any, may stay: keys come and go."""
        self._keyring.refresh()
        if key is None:
            return self._proxy is not None or not (self._key_always or self._keyring.any)
        return self._keyring.holds(key)

    def _identify(self, connection: Connection, given: str | None) -> Key:
        """The key that was given. Wrong ones make a client wait, but no key that it has used."""
        if not given:
            raise _unauthorized("an API key is needed")
        key, client = self._keyring.find(given), _client(connection)
        if key is None:
            self.guessed(connection)
        elif (client, key.name) not in self._welcome:
            self._limit(self._wrong_keys, client, take=False)
        if key is None or self._keyring.expired(key):
            self._refused.labels("key").inc()
            log.warning(
                "a request with a key that is not good was refused",
                extra={"event": "key_refused", "key": key.name if key else None},
            )
            raise _unauthorized(_what_is_wrong(key, given))
        self._welcome.add((client, key.name))
        return key

    def guessed(self, connection: Connection) -> None:
        """Counts a key or token that is not known. Raises `TooManyRequestsException` after too many."""
        self._limit(self._wrong_keys, _client(connection))

    def _limit(self, limit: RateLimit, asker: str, *, take: bool = True) -> None:
        now = self._clock.monotonic()
        seconds = limit.take(asker, now) if take else limit.wait(asker, now)
        if seconds:
            self._refused.labels("rate").inc()
            raise TooManyRequestsException(
                detail="too many requests; see the Retry-After header",
                headers={"Retry-After": str(ceil(seconds))},
            )


def name_in(scope: Scope) -> str | None:
    """Who asks; None when nobody was let in."""
    name = scope["state"].get(_ASKED_BY)
    return None if name is None else str(name)


def asked_by(request: Connection) -> str:
    """Who asks: the name of the API key, or ``local`` where there are none."""
    return name_in(request.scope) or LOCAL


def _unauthorized(detail: str) -> NotAuthorizedException:
    return NotAuthorizedException(
        detail=detail, headers={"WWW-Authenticate": 'Bearer realm="triaged"'}
    )


def _what_is_wrong(key: Key | None, given: str) -> str:
    if key is not None:
        return "the API key has expired"
    if is_damaged(given):
        return "the API key is incomplete or mistyped"
    return "the API key is not known"


def _given_key(headers: Mapping[str, str]) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return headers.get("x-api-key")


def _client(connection: Connection) -> str:
    """Who is at the other end of the connection. What a header says about that is not believed."""
    return client_of(connection.client.host) if connection.client else ""


def _check_path(connection: Connection) -> None:
    """A slash or NUL in disguise is not what a proxy in front took it for, nor part of any name."""
    raw = connection.scope.get("raw_path", b"").partition(b"?")[0].lower()
    if b"%2f" in raw or b"%00" in raw:
        raise HTTPException(status_code=400, detail="the path has an encoded slash or NUL")


def _check_framing(connection: Connection) -> None:
    """Two statements of a body's length are how requests are smuggled past a proxy (RFC 9112, 6.1)."""
    if "transfer-encoding" in connection.headers and "content-length" in connection.headers:
        raise HTTPException(
            status_code=400,
            detail="expected Content-Length or Transfer-Encoding, got both",
            headers={"Connection": "close"},
        )


def _check_content_type(connection: Connection) -> None:
    """A body must say that it is JSON, which no form of another web site can."""
    headers = connection.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method_of(connection) not in SAFE_METHODS and kind != "application/json":
        raise HTTPException(status_code=415, detail="expected a body of type application/json")


async def add_headers(message: Message, _: Scope) -> None:
    """Sets the security headers of every answer, unless the handler has set its own."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
