"""Limits of size: what is looked at, what is stored."""

from __future__ import annotations

MAX_INPUT_CHARS = 256 * 1024
"""What of an error's text is looked at. More than any error says; a document pasted into one is cut."""
MAX_MESSAGE_BYTES = 2048
MAX_FULL_TEXT_BYTES = 64 * 1024
_ELLIPSIS = "…"


def clip(text: str, limit: int) -> str:
    """At most `limit` characters, cut at white space where there is any.

    For text that is not masked yet: half a secret would not be recognised as one.
    """
    if len(text) <= limit:
        return text
    kept = text[:limit]
    whole_words = kept.rsplit(None, 1)
    return whole_words[0] if len(whole_words) == 2 else kept


def truncate(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, ending with an ellipsis when something was cut."""
    if len(text) * 4 <= limit:
        return text
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    room = limit - len(_ELLIPSIS.encode())
    return encoded[:room].decode(errors="ignore") + _ELLIPSIS
