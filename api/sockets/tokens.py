"""Short-lived tokens: what a browser can put into the address of a socket in place of an API key.

Kept in memory only, and hashed, so that neither the store nor a dump of the memory gives one away.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock
from typing import NamedTuple

from daemon.access.keyring import Key
from daemon.clock import Clock

LIFETIME = timedelta(seconds=60)
MOST_OF_ONE = 100
"""Tokens of one key that are kept; the oldest gives way, so nobody can crowd out others."""


class Issued(NamedTuple):
    """What is known of a token."""

    name: str
    key: Key | None
    """That it was asked for with."""
    expires: float
    """On the monotonic clock."""


class Tokens:
    """Tokens that were issued and not used. May be used from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._issued: OrderedDict[bytes, Issued] = OrderedDict()

    def issue(self, name: str, key: Key | None = None) -> tuple[str, datetime]:
        """A new token for who has this name and this key, if any, and when it expires."""
        token = secrets.token_urlsafe(32)
        now = self._clock.monotonic()
        with self._lock:
            self._forget_expired(now)
            self._make_room(name)
            self._issued[_digest(token)] = Issued(name, key, now + LIFETIME.total_seconds())
        return token, self._clock.now() + LIFETIME

    def redeem(self, token: str) -> Issued | None:
        """Whose token it is, once; None if it is not known, was used, or has expired."""
        with self._lock:
            found = self._issued.pop(_digest(token), None)
        return found if found and found.expires > self._clock.monotonic() else None

    def _forget_expired(self, now: float) -> None:
        while self._issued and next(iter(self._issued.values())).expires <= now:
            self._issued.popitem(last=False)

    def _make_room(self, name: str) -> None:
        own = [digest for digest, issued in self._issued.items() if issued.name == name]
        for digest in own[: max(0, len(own) - MOST_OF_ONE + 1)]:
            del self._issued[digest]


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
