"""Where a daemon is reached that listens at some address."""

from __future__ import annotations

from daemon.config.values import Listen

_EVERY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 looked up, not listened on


def url_of(address: Listen) -> str:
    """The base URL, on this machine when the daemon listens on all addresses."""
    return f"http://{Listen(_EVERY.get(address.host, address.host), address.port)}"
