"""The names of keys, and their roles in order: each may do what those before it may."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

Role = Literal["read", "operate", "admin"]
KeyName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="a name of at most 64 letters, digits, - _ and .",
    ),
]

LOCAL = "local"
"""Whoever is on this machine, where there are no keys, and who works on its files."""
NOT_A_KEYS_NAME = f"the name {LOCAL} stands for whoever is on this machine, without a key"

_VERBS = {"read": "read", "operate": "operate", "admin": "administer"}
_ORDER = tuple(_VERBS)


def may(held: str, needed: str) -> bool:
    """Whether a key of the role `held` may do what needs the role `needed`."""
    return _ORDER.index(held) >= _ORDER.index(needed)


def refusal(held: str, needed: str) -> str:
    """Why not, in words."""
    return f"this API key may {_VERBS[held]}, but not {_VERBS[needed]}"
