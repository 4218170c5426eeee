"""Versions of sources: short texts that change when their configuration or credentials do."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b, pbkdf2_hmac

import msgspec

_ROUNDS = 5_000
"""Versions are stored: a guess at the password behind one should cost more than a plain hash does. More rounds
would show where there are hundreds of accounts: each costs some 2 ms at the start of the daemon."""


def unversioned() -> str:
    """The version of a source that has no configuration of its own."""
    return ""


def fixed(source: object) -> Callable[[], str]:
    """The version of a source whose configuration stays the same while the daemon runs."""
    version = version_of(source)
    return lambda: version


def version_of(source: object) -> str:
    """16 hex digits that stand for a source's configuration: a record, or several with what else it goes by."""
    text = msgspec.json.encode(source, enc_hook=repr, order="deterministic")
    return blake2b(text, digest_size=8).hexdigest()


@lru_cache(maxsize=1024)
def version_with_secret(version: str, secret: str) -> str:
    """16 hex digits that stand for a configuration together with a secret, and do not give it away."""
    return opaque(secret, version)


def opaque(text: str, salt: str) -> str:
    """16 hex digits that stand for a text and do not give it away."""
    return pbkdf2_hmac("sha256", text.encode(), salt.encode(), _ROUNDS, 8).hex()
