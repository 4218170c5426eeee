"""API keys as text: made of 256 random bits, known by their look, kept only as a hash."""

from __future__ import annotations

import secrets
from hashlib import sha256
from string import ascii_letters, digits
from zlib import crc32

PREFIX = "trg_"
"""What secret scanners and our own masking know a key by."""
_LETTERS = digits + ascii_letters
_RANDOM = 43
"""Letters that 256 bits take."""
_CHECK = 6
"""Letters that the checksum takes."""


def make_key() -> str:
    """A new key."""
    return _spelled(secrets.randbits(256))


def is_damaged(key: str) -> bool:
    """Whether it looks like a key of ours that was cut or mistyped: its checksum is wrong."""
    if not key.startswith(PREFIX):
        return False
    body = key.removeprefix(PREFIX)
    return body[_RANDOM:] != _checksum(body[:_RANDOM])


def digest(key: str) -> bytes:
    """What is kept of a key.

    SHA-256 as it is, without salt and made slow by nothing: that is for passwords, which can be
    guessed. Nobody guesses 256 random bits, and every request pays for this.
    """
    return sha256(key.encode("utf-8", "surrogateescape")).digest()


def _spelled(number: int) -> str:
    body = _base62(number, _RANDOM)
    return f"{PREFIX}{body}{_checksum(body)}"


def _checksum(body: str) -> str:
    return _base62(crc32(body.encode()), _CHECK)


def _base62(number: int, width: int) -> str:
    letters = []
    for _ in range(width):
        number, remainder = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[remainder])
    return "".join(reversed(letters))
