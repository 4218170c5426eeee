"""Who asks through a reverse proxy that has signed people in: by a header of its, from its own address only."""

from __future__ import annotations

from api.origin import Connection, same_address
from daemon.config.schema import ProxyConfig
from daemon.triage import Triage

LONGEST_NAME = 64


def proxied_user(connection: Connection, proxy: ProxyConfig) -> str | None:
    """``proxy:`` and the name as it may be shown; None for whoever came by another way."""
    if connection.client is None or not _is_proxy(connection.client.host, proxy):
        return None
    given = connection.headers.getall(proxy.user_header, [])
    if len(given) != 1 or not given[0].strip():
        return None
    return f"proxy:{Triage.mask(given[0][: 4 * LONGEST_NAME]).strip()[:LONGEST_NAME]}"


def _is_proxy(host: str, proxy: ProxyConfig) -> bool:
    address = same_address(host.removeprefix("::ffff:"))
    return any(address == same_address(known) for known in proxy.addresses)
