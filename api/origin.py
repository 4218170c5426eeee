"""Where there are no keys: only this machine, by its own names, and no web site of somebody else's."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, PermissionDeniedException

Connection = ASGIConnection[Any, Any, Any, Any]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]+?)\.?)(?::[0-9]{1,5})?")


def host_names(*more: str) -> frozenset[str]:
    """The names of this machine, and `more`, as hosts are compared."""
    return frozenset(
        same_address(name.lower().removesuffix(".")) for name in (*_LOCAL_NAMES, *more)
    )


def check_origin(connection: Connection, hosts: frozenset[str]) -> None:
    """Refuses another host name than one of `hosts`, and other origins where they could do harm."""
    host = connection.headers.get("host", "").strip().lower()
    if _host_name(host) not in hosts:
        raise HTTPException(
            status_code=421,
            detail="the Host header names another host; see server.hosts in the configuration",
        )
    origin = connection.headers.get("origin")
    if origin is not None and _matters(connection):
        scheme, _, place = origin.lower().partition("://")
        if scheme not in ("http", "https") or place != host:
            raise PermissionDeniedException(detail="the request comes from another origin")


def method_of(connection: Connection) -> str:
    """The method of a request; that of a socket's handshake is GET."""
    return str(connection.scope.get("method", "GET"))


def _matters(connection: Connection) -> bool:
    """What changes something; and sockets, which browsers let any web site open and read."""
    return (
        connection.scope["type"] == ScopeType.WEBSOCKET or method_of(connection) not in SAFE_METHODS
    )


def _host_name(host: str) -> str | None:
    """The name in a Host header, without its port; None for what is none."""
    found = _HOST.fullmatch(host)
    return same_address(found[1] or found[2]) if found else None


def same_address(name: str) -> str:
    """One spelling of a host's address, since IPv6 has many; a name stays as it is."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name
